"""One attachment: shown as page images and text made in a worker process, never as the file itself; or downloaded, with a warning.

PDF and TIF become page images, JPG and PNG are drawn again without EXIF or place, TXT is shown as text. Whatever cannot be opened
can only be downloaded, as a file, and the page says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from citizen_inbox import suspicious
from citizen_inbox.conversation import find_message
from citizen_inbox.deps import Deps
from citizen_inbox.inbox import PATH
from foundation.web import errors, french
from foundation.web.site import Link
from foundation.web.visit import Visit
from health_space.dossier.formats import MAX_BYTES, Refused
from health_space.dossier.readers import Accepted
from mailserver.mime.message import Attachment

MAX_SHOWN = 20_000_000  # octets: larger files are only downloaded
IMAGE_HEADERS = {"content-security-policy": "default-src 'none'; sandbox"}


@dataclass(frozen=True, slots=True)
class Found:
    piece: Attachment
    content: bytes
    warnings: list[str]


async def show(visit: Visit, deps: Deps) -> Response:
    """GET /messagerie/{conversation}/{message}/pieces/{section}."""
    found = await _find(visit, deps)
    opened = await deps.readers.accept(found.content) if len(found.content) <= MAX_SHOWN else None
    text, pages, why = "", 0, ""
    if isinstance(opened, Accepted):
        pages = min(opened.pages, deps.settings.preview_pages)
        read = await deps.readers.text(opened.content, opened.media_type)
        text = "" if isinstance(read, Refused) else read
    elif isinstance(opened, Refused):
        why = french.typeset(
            opened.reason.in_french({"size": french.size(len(found.content)), "limit": french.size(MAX_BYTES)})
        )
    return visit.render(
        "citizen_inbox/attachment/page.html",
        found.piece.filename,
        piece=found.piece,
        size=len(found.content),
        opened=isinstance(opened, Accepted),
        why=why,
        warnings=found.warnings,
        pages=pages,
        more=opened.pages - pages if isinstance(opened, Accepted) else 0,
        text=text,
        base=visit.request.url.path,
        back=Link(f"{PATH}/{visit.number('conversation')}", "Retour à la conversation"),
    )


async def image(visit: Visit, deps: Deps) -> Response:
    """GET …/pages/{page}: one page, from 1, drawn again."""
    found = await _find(visit, deps)
    number = visit.number("page")
    if not 1 <= number <= deps.settings.preview_pages or len(found.content) > MAX_SHOWN:
        raise errors.not_found()
    opened = await deps.readers.accept(found.content)
    if not isinstance(opened, Accepted):
        raise errors.not_found()
    drawn = await deps.readers.page(opened.content, opened.media_type, number - 1)
    if drawn is None or isinstance(drawn, Refused):
        raise errors.not_found()
    return Response(drawn.image, media_type="image/webp", headers=IMAGE_HEADERS)


async def download(visit: Visit, deps: Deps) -> Response:
    """GET …/telecharger: as a file, whatever it says it is (RFC 6266)."""
    found = await _find(visit, deps)
    name = found.piece.filename
    plain = "".join(c if c.isascii() and (c.isalnum() or c in " ._-") else "_" for c in name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    headers = {**IMAGE_HEADERS, "content-disposition": disposition}
    return Response(found.content, media_type="application/octet-stream", headers=headers)


async def _find(visit: Visit, deps: Deps) -> Found:
    number, name = visit.number("conversation"), str(visit.request.path_params["message"])
    place, message = await deps.db.read(find_message, deps, visit.box, number, name)
    section = visit.request.path_params["section"]
    for piece in message.attachments():
        if piece.section == section:
            warnings = [] if place.mine else suspicious.sentences(message, section)
            return Found(piece, message.decoded(section), warnings)
    raise errors.not_found()
