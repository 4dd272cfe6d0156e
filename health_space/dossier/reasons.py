"""Why a file is not taken into the dossier (rules.md section 8, last line).

Same type as the trust space's reasons: the citizen's page, the answer to the sender and the audit row translate one value.
The sentences are templates over {size} and {limit}, already written for a person (« 6,2 Mo »); they never name the file.
"""

from __future__ import annotations

from mssante.reason import Reason

CLAUSE = "rules 8"

EMPTY = Reason(
    "document_empty",
    CLAUSE,
    554,
    "5.6.0",
    "Ce fichier est vide.",
    "This file is empty.",
)
TOO_LARGE = Reason(
    "document_too_large",
    CLAUSE,
    552,
    "5.3.4",
    "Ce fichier pèse {size}. La limite est de {limit}.",
    "This file weighs {size}. The limit is {limit}.",
)
FORMAT = Reason(
    "document_format",
    CLAUSE,
    554,
    "5.6.1",
    "Le format de ce fichier n’est pas accepté. Les formats acceptés sont : PDF, JPG, PNG, TXT, RTF et TIF.",
    "This file's format is not accepted. Accepted formats: PDF, JPG, PNG, TXT, RTF and TIF.",
)
ARCHIVE = Reason(
    "document_archive",
    CLAUSE,
    554,
    "5.6.1",
    "Ce fichier est une archive (par exemple ZIP). Les documents doivent être joints un par un.",
    "This file is an archive (ZIP for example). Documents must be attached one by one.",
)
ATTACHED_MESSAGE = Reason(
    "document_attached_message",
    CLAUSE,
    554,
    "5.6.1",
    "Cette pièce jointe est un message entier. Les documents doivent être joints un par un.",
    "This attachment is a whole message. Documents must be attached one by one.",
)
POLYGLOT = Reason(
    "document_two_formats",
    CLAUSE,
    554,
    "5.6.0",
    "Ce fichier contient un deuxième fichier caché. Par prudence, il n’est pas accepté.",
    "This file hides a second file. It is refused as a precaution.",
)
LOCKED = Reason(
    "document_locked",
    CLAUSE,
    554,
    "5.6.0",
    "Ce PDF est protégé par un mot de passe. Il faut une copie sans mot de passe.",
    "This PDF is protected by a password. A copy without password is needed.",
)
BROKEN = Reason(
    "document_broken",
    CLAUSE,
    554,
    "5.6.0",
    "Ce fichier est abîmé ou incomplet : il ne s’ouvre pas.",
    "This file is damaged or incomplete: it does not open.",
)
TOO_MANY_PIXELS = Reason(
    "document_image_too_big",
    CLAUSE,
    554,
    "5.6.0",
    "Cette image a des dimensions trop grandes. Il faut une image plus petite.",
    "This image's dimensions are too large. A smaller image is needed.",
)
TOO_SLOW = Reason(
    "document_too_complex",
    CLAUSE,
    554,
    "5.6.0",
    "Ce fichier est trop compliqué à lire. Par prudence, il n’est pas accepté.",
    "This file takes too much work to read. It is refused as a precaution.",
)

ALL = {
    reason.name: reason
    for reason in (
        EMPTY,
        TOO_LARGE,
        FORMAT,
        ARCHIVE,
        ATTACHED_MESSAGE,
        POLYGLOT,
        LOCKED,
        BROKEN,
        TOO_MANY_PIXELS,
        TOO_SLOW,
    )
}


def sentence(name: str, size: int, limit: int) -> str:
    """The French sentence of a stored reason, with both figures where it has any (U10: never a limit without the size)."""
    return ALL[name].fr.format(size=megabytes(size), limit=megabytes(limit))


def sentence_en(name: str, size: int, limit: int) -> str:
    return ALL[name].en.format(size=f"{size / 1e6:.1f} MB", limit=f"{limit / 1e6:.1f} MB")


def megabytes(size: int) -> str:
    """Decimal units, French comma, rounded up so that a refused size never reads like the limit: « 5,1 Mo », « 312 Ko »."""
    if size < 1_000_000:
        return f"{max(1, -(-size // 1000))}\u00a0Ko"
    tenths = -(-size // 100_000)
    whole, tenth = divmod(tenths, 10)
    return f"{whole},{tenth}\u00a0Mo" if tenth else f"{whole}\u00a0Mo"
