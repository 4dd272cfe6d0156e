"""Which passwords a person may choose: long rather than complicated (NIST SP 800-63B 3.1.1.2), and nothing that is tried first.

Twelve characters, beside a second factor. No rule of capitals and signs, no end date: both make worse passwords.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import Enum

from mssante.passwords import LONGEST

SHORTEST = 12  # characters
DIFFERENT = 6  # characters, of which one that is not made of words tried first must have as many left
PART = 4  # letters from which on a part of a name counts

_TRIED_FIRST = """
motdepasse password passe azertyuiop azerty qsdfghjklm wxcvbn qwertyuiop qwertz qwerty asdfghjkl zxcvbnm bonjour soleil
doudou chouchou loulou jetaime marseille france docteur medecin pharmacie cabinet hopital clinique sante mssante
messagerie secretariat infirmier infirmiere admin bienvenue welcome letmein iloveyou monkey dragon football printemps
automne hiver janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre
""".split()
_WORDS = re.compile("|".join(sorted(_TRIED_FIRST, key=len, reverse=True)))
_RUNS = ("01234567890", "09876543210", "abcdefghijklmnopqrstuvwxyz")
_YEAR = re.compile(r"(?:19|20)\d\d")


class Weak(Enum):
    """Why a password is not taken; a sentence for the person."""

    SHORT = f"Écrivez au moins {SHORTEST} caractères. Une phrase convient très bien."
    LONG = f"Écrivez au plus {LONGEST} caractères."
    OWN_NAME = "Votre nom, votre identifiant et votre adresse sont essayés les premiers. Choisissez d'autres mots."
    TRIED_FIRST = "Ce mot de passe est trop facile à deviner. Ajoutez des mots qui ne vont pas ensemble."
    SAME = "C'est votre mot de passe actuel. Choisissez-en un autre."


def weak(password: str, old: str, names: Iterable[str]) -> Weak | None:
    """`names`: the person's login, address and name."""
    if len(password) < SHORTEST:
        return Weak.SHORT
    if len(password) > LONGEST:
        return Weak.LONG
    if password == old:
        return Weak.SAME
    bare = _bare(password)
    own = sorted({part for name in names for part in _parts(name)}, key=len, reverse=True)
    left = bare
    for part in own:
        left = left.replace(part, "")
    if left != bare and len(_rest(left)) < DIFFERENT:
        return Weak.OWN_NAME
    return Weak.TRIED_FIRST if len(set(_rest(bare))) < DIFFERENT else None


def _rest(bare: str) -> str:
    """Without words tried first, years, and runs of the alphabet and of figures; one of each character repeated."""
    rest = _YEAR.sub("", _WORDS.sub("", bare))
    for run in _RUNS:
        for length in range(len(run), 2, -1):
            for start in range(len(run) - length + 1):
                rest = rest.replace(run[start : start + length], "")
    return re.sub(r"(.)\1+", r"\1", rest)


def _parts(name: str) -> list[str]:
    """Of « camille.roche@alpha.example »: what stands before the domain, whole and in pieces."""
    text = unicodedata.normalize("NFKD", name.partition("@")[0]).casefold()
    pieces = re.split(r"[^a-z0-9]+", "".join(sign for sign in text if not unicodedata.combining(sign)))
    return [piece for piece in ["".join(pieces), *pieces] if len(piece) >= PART]


def _bare(text: str) -> str:
    """Letters without accents and case, figures, and what is neither; « p@ssw0rd » is read as it is meant."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign) and not sign.isspace())
    return letters.translate(str.maketrans("@$€", "ase")) if not letters.isdigit() else letters
