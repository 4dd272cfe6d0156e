"""Passwords for the demo: four short French words and a number, easy to type (33 bits: for loopback); made once, then kept."""

from __future__ import annotations

import secrets

WORDS = """
ami banc bleu bois bol brise brun cadre calme canal cap cave cerf champ clair clou coin corde cour cri dune eau ecole etang
faon ferme feu fil fleur foin fort four frais galet gant glace gris grue haie hetre ile jardin joie jonc lac laine lampe lin
lune main mare mer miel mont mur neige nid nord ocre oie ombre or orme osier page pain paix pin pluie pont pre puits
quai rade rame rive roc rose roue sable sac sapin sel sente soie soir son table taupe terre tige toit tour val vent vert
""".split()


def passphrase() -> str:
    """Like `lune-sapin-cadre-miel-42`."""
    return "-".join([*(secrets.choice(WORDS) for _ in range(4)), str(secrets.randbelow(90) + 10)])
