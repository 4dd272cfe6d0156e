"""Error pages as values: what happened, what is safe, what to do. The reference number is added when the page is drawn.

A thing that does not exist and a thing that belongs to someone else give the same page: nothing can be learnt by trying numbers.
"""

from __future__ import annotations

from foundation.web.french import typeset

NOTHING_SENT = "Rien n'a été envoyé ni modifié."


class PageError(Exception):
    """Ends a page early with a readable answer; the three sentences are in plain French."""

    def __init__(self, status: int, title: str, happened: str, safe: str, to_do: str) -> None:
        super().__init__(status, title)
        self.status = status
        self.title = typeset(title)
        self.happened = typeset(happened)
        self.safe = typeset(safe)
        self.to_do = typeset(to_do)


def not_found() -> PageError:
    return PageError(
        404,
        "Page introuvable",
        "Cette page n'existe pas, ou elle n'existe plus.",
        "Vos messages et vos documents sont à leur place.",
        "Revenez à l'accueil. Si vous avez recopié une adresse, vérifiez-la.",
    )


def wrong_method() -> PageError:
    return PageError(
        405,
        "Action impossible",
        "Cette page ne peut pas être demandée de cette façon.",
        NOTHING_SENT,
        "Revenez à l'accueil et recommencez.",
    )


def foreign_form() -> PageError:
    """The token is wrong: another site's form, or a page left open on another profile or from before signing in again."""
    return PageError(
        403,
        "Page trop ancienne",
        "Cette page était ouverte depuis trop longtemps, ou vous avez changé de profil entre-temps.",
        NOTHING_SENT,
        "Revenez à la page précédente, rechargez-la, puis recommencez.",
    )


def bad_form() -> PageError:
    return PageError(
        400,
        "Formulaire illisible",
        "Le formulaire reçu est incomplet. La connexion a peut-être été coupée.",
        NOTHING_SENT,
        "Revenez à la page précédente et recommencez.",
    )


def away() -> PageError:
    """The database does not answer: a restart, as a rule."""
    return PageError(
        503,
        "Le service revient dans un instant",
        "Le service ne peut pas répondre en ce moment. Ce n'est pas de votre faute.",
        "Vos messages et vos documents sont à leur place.",
        "Attendez une minute, puis rechargez cette page. Si vous étiez en train d'écrire, revenez d'abord à la page précédente.",
    )


def server_fault() -> PageError:
    return PageError(
        500,
        "Un problème de notre côté",
        "Le service n'a pas pu afficher cette page. Ce n'est pas de votre faute.",
        "Vos messages et vos documents sont à leur place.",
        "Attendez une minute, puis réessayez. Si cela continue, contactez l'aide avec le numéro ci-dessous.",
    )
