"""Mailboxes in an operator's words: why an act is refused, and what is typed: sizes, yes and no, names of certificates."""

from __future__ import annotations

import re

from foundation import dn
from mssante import life
from mssante.rights import Role
from runtime.command import Refused

WHY = {
    life.Not.ERASED: "sa clé est détruite : plus rien ne peut en être fait // its key was destroyed: nothing can be done with it",
    life.Not.CLOSED: "la boîte est fermée : rouvrez-la d’abord // the mailbox is closed: resume it first",
    life.Not.ACTIVE: "la boîte est déjà active // the mailbox is active already",
    life.Not.CITIZENS_OWN: "l’usager seul en décide, dans son espace santé // only the citizen decides that, in their health space",
    life.Not.NO_PROGRAM: "seule une boîte APP s’ouvre par un certificat // only an APP mailbox is opened by a certificate",
    life.Not.NO_PERSON: "ce n’est pas la boîte d’une personne : ni code ni avis n’en partent // it is not one person's mailbox: "
    "no code and no notice leaves for it",
    life.Not.ANOTHER_PERSON: "une boîte PER ne passe jamais à une autre personne // a PER mailbox never passes to another person",
    life.Not.ONE_PERSON: "une personne s’y identifie déjà, et une seule le peut // one person signs in already, and only one can",
    life.Not.HOLDERS_ONLY: "hors ORG et CAB, il n’y a que des titulaires // other kinds than ORG and CAB have holders only",
    life.Not.LAST_HOLDER: "il n’y aurait plus de titulaire // there would be no holder left",
}
STATES = {
    "active": "active // active",
    "suspended": "suspendue // suspended",
    "closed": "fermée // closed",
    "erased": "effacée // erased",
}
ROLES = {"holder": "titulaire // holder", "member": "membre // member", "reader": "lecteur // reader"}
SIGN_INS = {"active": "actif // active", "paused": "suspendu // suspended", "revoked": "retiré // removed"}
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_SIZE = re.compile(r"([0-9]{1,15})\s*([kmg]?)[bo]?", re.IGNORECASE)


def refusal(address: str, why: life.Not) -> Refused:
    french, _, english = WHY[why].partition(" // ")
    return Refused(f"{{address}} : {french} // {{address}}: {english}", address=address)


def role(word: str) -> Role:
    try:
        return Role(word or "member")
    except ValueError:
        raise Refused("{word} : holder, member ou reader // {word}: holder, member or reader", word=word) from None


def subject(text: str) -> dn.DistinguishedName:
    try:
        return dn.parse(text)
    except dn.DnError:
        raise Refused("Ce n’est pas un nom de certificat (RFC 4514). // Not a certificate's name (RFC 4514).") from None


def octets(text: str) -> int:
    """« 2 Go », `500M`, `1000000`; powers of ten, as disks are sold."""
    size = _SIZE.fullmatch(text.strip())
    if size is None or int(size[1]) == 0:
        raise Refused("{text} : écrivez par exemple 2G ou 500M // {text}: write for example 2G or 500M", text=text)
    return int(size[1]) * _UNITS[size[2].lower()]


def yes(text: str) -> bool:
    word = text.strip().casefold()
    if word in ("", "non", "no", "0", "false"):
        return False
    if word in ("oui", "yes", "1", "true"):
        return True
    raise Refused("{text} : oui ou non // {text}: yes or no", text=text)
