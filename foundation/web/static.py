"""Our few static files, held in memory: style, font, icon. The address carries their digest, so browsers keep them for a year."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css; charset=utf-8", ".woff2": "font/woff2", ".svg": "image/svg+xml", ".js": "text/javascript"}
FOREVER = "public, max-age=31536000, immutable"


class StaticFiles:
    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.suffix in TYPES}
        self.version = sha256(b"".join(self._files.values())).hexdigest()[:12]
        self._small = {
            name: gzip.compress(data, 9, mtime=0) for name, data in self._files.items() if not name.endswith(".woff2")
        }

    def address(self, name: str) -> str:
        return f"/static/{self.version}/{name}"

    def route(self) -> Route:
        return Route("/static/{version}/{name}", self._serve)

    async def _serve(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            return Response(status_code=404)
        headers = {"cache-control": FOREVER, "vary": "accept-encoding"}
        body, small = self._files[name], self._small.get(name)
        if small is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            body = small
        return Response(body, headers=headers, media_type=TYPES[Path(name).suffix])
