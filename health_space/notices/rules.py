"""What a notice says, inside the space and outside (rules.md section 9; ux 4.4).

Outside (e-mail): that something happened, and to sign in as usual. No name, sender, subject, document, speciality or link; the
same words for everyone, so that whoever reads the screen of a telephone learns nothing. Inside: a sentence and where to go.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    MESSAGE = "message"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Addressee:
    """Where an e-mail goes. `own`: about the reader's own profile, else about one they look after."""

    email: str
    own: bool
    activated: bool


@dataclass(frozen=True, slots=True)
class Mail:
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Wording:
    what: str  # inside: what happened
    action: str  # inside: label of the link
    path: str  # inside: where it leads when the entry has no target of its own
    thing: str  # outside


WORDINGS: dict[Kind, Wording] = {
    Kind.MESSAGE: Wording("Vous avez reçu un nouveau message.", "Voir mes messages", "/messagerie", "nouveau message"),
    Kind.DOCUMENT: Wording(
        "Un nouveau document est arrivé dans vos documents.", "Voir le document", "/documents", "nouveau document"
    ),
}

_NO_LINK = "Cet e-mail ne contient aucun lien et ne demande aucun mot de passe."


def mail(kind: Kind, to: Addressee) -> Mail:
    """The e-mail for the private address."""
    thing = WORDINGS[kind].thing
    where = "" if to.own else " pour un profil que vous suivez"
    first = f"Vous avez un {thing}{where}."
    if to.activated:
        then = "Connectez-vous comme d’habitude."
    else:
        then = (
            "Votre espace n’est pas encore activé. Pour l’ouvrir, suivez le courrier d’activation que vous avez reçu."
        )
    return Mail(f"Vous avez un {thing}", f"Bonjour,\n\n{first} {then}\n\n{_NO_LINK}\n")
