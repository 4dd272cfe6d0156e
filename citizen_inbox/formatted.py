"""« Mise en forme d'origine » of one message: a page of ours around a frame without any right (`safe_html`)."""

from __future__ import annotations

import asyncio

from starlette.responses import HTMLResponse, Response

from citizen_inbox import safe_html, wording
from citizen_inbox.conversation import find_message
from citizen_inbox.deps import Deps
from citizen_inbox.inbox import PATH
from foundation.web import errors
from foundation.web.site import Link
from foundation.web.visit import Visit
from mailserver.mime.message import Message


async def show(visit: Visit, deps: Deps) -> Response:
    """GET /messagerie/{conversation}/{message}/mise-en-forme."""
    _, message = await _message(visit, deps)
    if message.html() is None:
        raise errors.not_found()
    back = Link(f"{PATH}/{visit.number('conversation')}", "Retour à la conversation")
    return visit.render(
        "citizen_inbox/formatted/page.html",
        wording.subject(message.subject),
        frame=visit.request.url.path + "/contenu",
        back=back,
    )


async def frame(visit: Visit, deps: Deps) -> Response:
    """GET …/mise-en-forme/contenu."""
    _, message = await _message(visit, deps)
    html = message.html()
    if html is None:
        raise errors.not_found()
    sections = {piece.content_id: piece.section for piece in message.attachments() if piece.content_id}

    def picture(content_id: str) -> bytes | None:
        return message.decoded(sections[content_id]) if content_id in sections else None

    return HTMLResponse(await asyncio.to_thread(safe_html.page, html, picture), headers=safe_html.HEADERS)


async def whole_text(visit: Visit, deps: Deps) -> Response:
    """GET …/texte: the text of a message too long for its page, as a file."""
    _, message = await _message(visit, deps)
    headers = {"content-disposition": 'attachment; filename="message.txt"', "x-content-type-options": "nosniff"}
    return Response(message.text(), media_type="text/plain; charset=utf-8", headers=headers)


async def _message(visit: Visit, deps: Deps) -> tuple[object, Message]:
    number, name = visit.number("conversation"), str(visit.request.path_params["message"])
    return await deps.db.read(find_message, deps, visit.box, number, name)
