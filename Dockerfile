# Two stages: the first builds the virtual environment from hashed requirements, the second only runs. `--build-arg BASE=…`: another image
# with Python 3.11 and its venv.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
WORKDIR /app
COPY requirements/runtime.txt requirements/runtime.txt
RUN python3 -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
# The project itself, as scripts/install does it: nothing more is built or fetched.
COPY . .
RUN echo /app > "$(/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/mssante-project.pth" \
    && printf '#!/venv/bin/python\nfrom runtime.cli import main\nmain()\n' > /venv/bin/mssante && chmod 755 /venv/bin/mssante \
    && /venv/bin/pip uninstall -y -q setuptools pip && find /venv -type d -regex '.*/tests?' -prune -exec rm -r {} + \
    && python3 -m compileall -q /venv/lib /app

FROM ${BASE}
# What opens attached archives (RAR, 7z, CAB…).
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libarchive13 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 1000 --no-create-home --home-dir /data mssante && install -d -o mssante -m 700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
USER mssante
WORKDIR /data
# Everything that changes lives in /data: run with --read-only, a tmpfs on /tmp and a volume there.
VOLUME ["/data"]
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
EXPOSE 8025 8087 8065 8043 8093 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["mssante", "health", "--config", "/data/mssante.toml"]
ENTRYPOINT ["mssante"]
CMD ["serve", "--config", "/data/mssante.toml"]
