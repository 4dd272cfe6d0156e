# Two stages: the first builds the virtual environment from hashed requirements, the second only runs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY . .
RUN /venv/bin/pip install --no-cache-dir setuptools && /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /venv/bin/python -m compileall -q /venv/lib

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 1000 --create-home --home-dir /data mssante
COPY --from=build /venv /venv
USER mssante
WORKDIR /data
# Everything that changes lives in /data: run with --read-only and a volume there.
VOLUME ["/data"]
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
EXPOSE 8025 8087 8065 8043 8093 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["mssante", "health", "--config", "/data/mssante.toml"]
ENTRYPOINT ["mssante"]
CMD ["serve", "--config", "/data/mssante.toml"]
