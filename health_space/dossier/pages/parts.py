"""What a document page is made of: the image of one page, and the file itself, streamed.

Both are answers of a document, never a page: their own policy lets them load and run nothing, whatever is in the file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from foundation.web import errors
from foundation.web.visit import Visit
from health_space.deps import Deps
from health_space.dossier import operations as ops
from health_space.dossier.formats import file_name
from health_space.dossier.operations import Document
from health_space.dossier.pages.access import document_of
from health_space.dossier.readers import Page

SLICE = 256 * 1024
INERT = {"content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'"}


async def image(visit: Visit, deps: Deps) -> Response:
    """Page `number`, from 1, as WebP."""
    _, document = await document_of(visit, deps)
    number = visit.number("number")
    if not 1 <= number <= document.pages:
        raise errors.not_found()
    content = await deps.db.read(ops.read, deps.blobs, document)
    answer = await deps.readers.page(content, document.media_type, number - 1)
    if not isinstance(answer, Page):
        raise errors.not_found()
    return Response(answer.image, media_type="image/webp", headers=INERT)


async def download(visit: Visit, deps: Deps) -> Response:
    _, document = await document_of(visit, deps)
    name = file_name(document.file_name or document.title, document.media_type)
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    headers = {
        **INERT,
        "content-length": str(document.size),
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",  # RFC 6266
    }
    kind = "text/plain; charset=utf-8" if document.media_type == "text/plain" else document.media_type
    return StreamingResponse(_slices(deps, document), media_type=kind, headers=headers)


async def _slices(deps: Deps, document: Document) -> AsyncIterator[bytes]:
    for offset in range(0, document.size, SLICE):
        yield await deps.db.read(ops.read, deps.blobs, document, offset, SLICE)
