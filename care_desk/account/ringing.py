"""A request on somebody's telephone (CIBA), as a session keeps it, and what is said of how it ended; for both pages that ask."""

from __future__ import annotations

from starlette.responses import Response

from foundation.web.sessions import Session
from foundation.web.visit import Visit
from mssante.ciba import Asked, Backchannel
from mssante.id_tokens import No
from mssante.openid import Subject

SENTENCES = {  # by what the page is told happened
    "denied": "Vous avez refusé sur votre téléphone. Ce n'était pas vous ? Changez votre mot de passe.",
    "expired": "Vous n'avez pas confirmé à temps. Recommencez.",
    "unknown": "Pro Santé Connect ne vous connaît pas sous ce numéro.",
    "unreachable": "Pro Santé Connect ne répond pas. Utilisez un autre moyen, ou réessayez plus tard.",
    "somebody_else": "C'est l'identité de quelqu'un d'autre. Recommencez avec la vôtre.",
    "attente": "Pas encore. Confirmez sur votre téléphone, puis revenez ici.",
}
OTHERWISE = "Pro Santé Connect a refusé. Utilisez un autre moyen."


def sentence_of(no: No) -> str:
    return SENTENCES.get(no.name.lower(), OTHERWISE)


def happened(told: str, asked: Asked | None, now: int) -> str:
    """Empty: nothing."""
    if asked is not None and asked.until <= now:
        return SENTENCES["expired"]
    return SENTENCES.get(told, OTHERWISE) if told else ""


async def heard(visit: Visit, phone: Backchannel, asked: Asked, page: str) -> Subject | No | Response:
    """What the provider says now, by the person's button or by wait.js, which reads 204 as « not yet »; what ended is forgotten."""
    found = await phone.poll(asked)
    if not isinstance(found, Asked):
        await visit.remember(**forgotten())
        return found
    if found != asked:
        await visit.remember(**remembered(found))
    return Response(status_code=204) if visit.form.get("attente") == "seule" else visit.redirect(page, "attente")


def remembered(asked: Asked) -> dict[str, str]:
    return {
        "ciba": asked.id or PRETENDED,
        "ciba_message": asked.message,
        "ciba_times": f"{asked.until} {asked.interval} {asked.next_at}",
    }


def forgotten() -> dict[str, str]:
    return dict.fromkeys(("ciba", "ciba_message", "ciba_times"), "")


def asked_in(session: Session) -> Asked | None:
    if not session.data.get("ciba"):
        return None
    until, interval, next_at = map(int, session.data["ciba_times"].split())
    name = session.data["ciba"]
    return Asked("" if name == PRETENDED else name, session.data["ciba_message"], until, interval, next_at)


PRETENDED = " "  # no request's id: an empty value would be forgotten
