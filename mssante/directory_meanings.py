"""What people call those they look for, and the registers' words for it: « cardiologue » is « Cardiologie et maladies
vasculaires », « infirmière » is « Infirmier », « généraliste » is « Médecine générale ».

Endings first, then what no ending tells. Only words of professions and specialities are meant, never names or towns.
"""

from __future__ import annotations

from collections.abc import Mapping

Together = tuple[str, ...]  # words of one profession or speciality, all of them

ENDINGS = (
    ("logue", "logie"),
    ("logiste", "logie"),
    ("logu", "logi"),  # while it is typed
    ("iatre", "iatrie"),
    ("ienne", "ien"),
    ("iere", "ier"),
    ("euse", "eur"),
    ("trice", "teur"),
)
# folded word -> what the registers say instead (TRE_G15, TRE_R38)
MEANT: Mapping[str, tuple[Together, ...]] = {
    "anesthesiste": (("anesthesie",),),
    "angiologue": (("medecine", "vasculaire"),),
    "cancerologue": (("oncologie",),),
    "cancerologie": (("oncologie",),),
    "chirurgien": (("chirurgie",),),
    "chirurgienne": (("chirurgie",),),
    "diabetologue": (("endocrinologie",),),
    "generaliste": (("medecine", "generale"),),
    "geneticien": (("genetique",),),
    "geneticienne": (("genetique",),),
    "gerontologue": (("geriatrie",),),
    "gynecologue": (("gyneco",),),
    "iade": (("infirmier", "anesthesiste"),),
    "ibode": (("infirmier", "bloc"),),
    "infectiologue": (("maladies", "infectieuses"),),
    "interniste": (("medecine", "interne"),),
    "ipa": (("infirmier", "avancee"),),
    "legiste": (("medecine", "legale"),),
    "neurochirurgien": (("neuro", "chirurgie"),),
    "neurochirurgienne": (("neuro", "chirurgie"),),
    "obstetricien": (("obstetrique",),),
    "obstetricienne": (("obstetrique",),),
    "orl": (("oto", "rhino", "laryngologie"),),
    "orthodontiste": (("orthopedie", "faciale"),),
    "orthopediste": (("orthopedique",),),
    "phlebologue": (("medecine", "vasculaire"),),
    "plasticien": (("chirurgie", "plastique"),),
    "plasticienne": (("chirurgie", "plastique"),),
    "radiologue": (("radio", "diagnostic"),),
    "radiologie": (("radio", "diagnostic"),),
    "radiotherapeute": (("radio", "therapie"), ("oncologie", "radiotherapie")),
    "reanimateur": (("reanimation",),),
    "reanimatrice": (("reanimation",),),
    "urgentiste": (("medecine", "urgence"),),
    "urologue": (("chirurgie", "urologique"),),
}


def meanings(word: str) -> tuple[Together, ...]:
    """Of a folded word; none: it means itself only."""
    by_ending = ((word[: -len(said)] + written,) for said, written in ENDINGS if word.endswith(said))
    return (*by_ending, *MEANT.get(word, ()))
