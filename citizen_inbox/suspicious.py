"""What the reader is told of an attachment that was delivered with a warning (`mailserver.delivery.attachments`)."""

from __future__ import annotations

from foundation.web import french
from mailserver.contents.kinds import Kind
from mailserver.delivery.attachments import warned_of
from mailserver.mime.message import Message

_RUNS = "C'est un programme : ne l'ouvrez pas, sauf si l'expéditeur vous l'a annoncé."
_UNSEEN = "Nous n'avons pas pu vérifier ce qu'il contient : ne l'ouvrez que si vous l'attendiez."
SENTENCES = {
    Kind.EXECUTABLE: _RUNS,
    Kind.SCRIPT: _RUNS,
    Kind.DISK_IMAGE: _UNSEEN,
    Kind.MACROS: "Ce document contient des macros, de petits programmes : s'il propose de les activer, refusez.",
    Kind.ACTIVE_PAGE: "Cette page fait agir votre navigateur et peut imiter un site : n'y tapez aucun mot de passe.",
    Kind.ENCRYPTED: "Un mot de passe le ferme : personne n'a pu vérifier ce qu'il contient. Ne l'ouvrez que si vous l'attendiez.",
    Kind.UNREADABLE: _UNSEEN,
    Kind.OTHER_ARCHIVE: "Il contient d'autres fichiers : n'ouvrez que ceux que vous attendiez.",
}
WHOLE = "Ce message contient une partie que nous n'avons pas pu vérifier : n'ouvrez que les pièces que vous attendiez."


def sentences(message: Message, section: str) -> list[str]:
    """About one attachment; what an attached message holds is said of it."""
    found = [one.kind for one in warned_of(message) if f"{one.section}.".startswith(f"{section}.")]
    return list(dict.fromkeys(french.typeset(SENTENCES[kind]) for kind in found))


def about_all(message: Message) -> str:
    """What cannot be said of one of them; empty: nothing."""
    return french.typeset(WHOLE) if any(not one.section for one in warned_of(message)) else ""
