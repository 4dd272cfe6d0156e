"""National identifiers of health: INS, RPPS, ADELI, FINESS, SIRET, each parsed once and then known to be well formed.

Formats and keys: reference identity texts of the ANS (INS: 13 characters and a key of 97; RPPS, FINESS, SIRET: Luhn, ISO 7812).
A number never appears in a log: `repr` and `str` of every value mask it, the digits are only in `.value`. Whether a number was
really given to someone is not known here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class Fault(Enum):
    FORMAT = "format"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Invalid:
    """Why a text is not the identifier or address it claims to be; `why` never repeats the text."""

    fault: Fault
    why: str


@dataclass(frozen=True, slots=True, repr=False)
class Identifier:
    value: str
    name: ClassVar[str] = "identifier"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    __str__ = __repr__


class Ins(Identifier):
    """Matricule INS (NIR or NIA), 15 characters, Corsica as 2A or 2B."""

    __slots__ = ()
    name = "INS"


class Rpps(Identifier):
    __slots__ = ()
    name = "RPPS"


class Adeli(Identifier):
    __slots__ = ()
    name = "ADELI"


class Finess(Identifier):
    __slots__ = ()
    name = "FINESS"


class Siret(Identifier):
    __slots__ = ()
    name = "SIRET"


def parse_ins(text: str) -> Ins | Invalid:
    """15 characters, spaces allowed between groups; refused when the key does not fit."""
    compact = _compact(text)
    if not _INS.fullmatch(compact):
        return Invalid(
            Fault.FORMAT,
            "un INS a 15 caractères : 13, et une clé de 2 chiffres // an INS has 15 characters: 13 and a key of 2 digits",
        )
    if compact[13:] != ins_key(compact[:13]):
        return Invalid(
            Fault.KEY,
            "la clé de cet INS ne va pas avec ses 13 caractères // the key of this INS does not fit its 13 characters",
        )
    return Ins(compact)


def ins_key(matricule: str) -> str:
    """The two digits that follow the 13 characters: 97 minus the number modulo 97, Corsica's 2A counting as 19 and 2B as 18."""
    departement = {"2A": "19", "2B": "18"}.get(matricule[5:7], matricule[5:7])
    return f"{97 - int(matricule[:5] + departement + matricule[7:]) % 97:02d}"


def demo_ins(serial: int, sex: int = 2, birth_year: int = 1979, birth_month: int = 3, place: str = "99999") -> Ins:
    """An invented number with a right key, for demonstrations and tests; no commune or country has the place 99999."""
    matricule = f"{sex}{birth_year % 100:02d}{birth_month:02d}{place}{serial:03d}"
    number = parse_ins(matricule + ins_key(matricule))
    if isinstance(number, Invalid):
        raise ValueError(number.why)
    return number


def parse_rpps(text: str) -> Rpps | Invalid:
    """11 digits with a Luhn key."""
    compact = _compact(text)
    if not _RPPS.fullmatch(compact):
        return Invalid(Fault.FORMAT, "un numéro RPPS a 11 chiffres // an RPPS number has 11 digits")
    return (
        Rpps(compact)
        if luhn(compact)
        else Invalid(Fault.KEY, "la clé de ce numéro RPPS est fausse // the key of this RPPS number does not fit")
    )


def parse_adeli(text: str) -> Adeli | Invalid:
    """9 characters beginning with a département; its key is not public, and RPPS is replacing it."""
    compact = _compact(text)
    if not _ADELI.fullmatch(compact):
        return Invalid(Fault.FORMAT, "un numéro ADELI a 9 chiffres // an ADELI number has 9 digits")
    return Adeli(compact)


def parse_finess(text: str) -> Finess | Invalid:
    """9 characters; the Luhn key is only defined on digits, so a number holding a letter (there are some) has none."""
    compact = _compact(text)
    if not _FINESS.fullmatch(compact):
        return Invalid(
            Fault.FORMAT,
            "un numéro FINESS a 9 caractères, un chiffre d’abord // a FINESS number has 9 characters and begins with a digit",
        )
    if compact.isdigit() and not luhn(compact):
        return Invalid(Fault.KEY, "la clé de ce numéro FINESS est fausse // the key of this FINESS number does not fit")
    return Finess(compact)


def parse_siret(text: str) -> Siret | Invalid:
    """14 digits with a Luhn key; establishments of La Poste (SIREN 356000000) have a digit sum divisible by 5 instead (INSEE)."""
    compact = _compact(text)
    if not _SIRET.fullmatch(compact):
        return Invalid(Fault.FORMAT, "un numéro SIRET a 14 chiffres // a SIRET number has 14 digits")
    la_poste = compact.startswith("356000000") and sum(map(int, compact)) % 5 == 0
    return (
        Siret(compact)
        if luhn(compact) or la_poste
        else Invalid(Fault.KEY, "la clé de ce numéro SIRET est fausse // the key of this SIRET number does not fit")
    )


def parse_person_id(text: str) -> Rpps | Adeli | Invalid:
    """National identifier of a person: `8` + RPPS or `0` + ADELI."""
    compact = _compact(text)
    if compact.startswith("8"):
        return parse_rpps(compact[1:])
    if compact.startswith("0"):
        return parse_adeli(compact[1:])
    return Invalid(
        Fault.FORMAT,
        "l’identifiant d’une personne est 8 + RPPS ou 0 + ADELI // a person's national identifier is 8 + RPPS or 0 + ADELI",
    )


def parse_structure_id(text: str) -> Finess | Siret | Invalid:
    """National identifier of a structure, as in the OU of a certificate: `1` + FINESS or `3` + SIRET."""
    compact = _compact(text)
    if compact.startswith("1"):
        return parse_finess(compact[1:])
    if compact.startswith("3"):
        return parse_siret(compact[1:])
    return Invalid(
        Fault.FORMAT,
        "l’identifiant d’une structure est 1 + FINESS ou 3 + SIRET // a structure's national identifier is 1 + FINESS or 3 + SIRET",
    )


def luhn(digits: str) -> bool:
    """True when the last digit is the Luhn key of the others (ISO/IEC 7812-1, annex B)."""
    octets = digits.encode()
    return (sum(octets[-1::-2].translate(_DIGIT)) + sum(octets[-2::-2].translate(_DOUBLED))) % 10 == 0


_DIGIT = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))  # the digit sum of twice the digit


def luhn_key(digits: str) -> str:
    """The digit to append so that `luhn` holds: for demonstration numbers."""
    return next(key for key in "0123456789" if luhn(digits + key))


# Sex, year, month, département (2A, 2B), commune, rank: the months above 12 that the INSEE uses for unknown births are accepted.
_INS = re.compile(r"[1-8][0-9]{4}(?:[0-9]{2}|2[AB])[0-9]{6}[0-9]{2}")

_RPPS = re.compile(r"[0-9]{11}")
_ADELI = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]{7}")
_FINESS = re.compile(r"[0-9][0-9A-Z][0-9A-Z]{7}")
_SIRET = re.compile(r"[0-9]{14}")


def _compact(text: str) -> str:
    # ASCII only: str.isdigit() takes digits of any script, upper() makes two letters of some others.
    if text.isdigit() and text.isascii():
        return text if len(text) <= 64 else ""
    return "".join(text.split()).upper() if len(text) <= 64 and text.isascii() else ""
