"""What an entry of the directory looks like to a mail client: inetOrgPerson (RFC 2798), and the root entry (RFC 4512 5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mssante.directory import Entry

BASE = "ou=annuaire,o=mssante"
ALL_USER, NONE = "*", "1.1"
SYNONYMS = {
    "surname": "sn",
    "commonname": "cn",
    "gn": "givenname",
    "rfc822mailbox": "mail",
    "localityname": "l",
    "organizationname": "o",
    "organizationalunitname": "ou",
}  # RFC 4519: two names of one attribute


def dn_of(entry: Entry) -> str:
    return f"mail={_escaped(entry.address)},{BASE}"


def root(mechanisms: Iterable[str], extensions: Iterable[str]) -> dict[str, Sequence[str]]:
    """What this server is (RFC 4512 5.1)."""
    return {
        "objectClass": ("top",),
        "namingContexts": (BASE,),
        "supportedLDAPVersion": ("3",),
        "supportedSASLMechanisms": tuple(mechanisms),
        "supportedExtension": tuple(extensions),
    }


def base() -> dict[str, Sequence[str]]:
    """The entry above all others."""
    return {"objectClass": ("top", "organizationalUnit"), "ou": ("annuaire",), "description": ("Annuaire MSSanté",)}


def chosen(attributes: Mapping[str, Sequence[str]], names: Sequence[str], types_only: bool) -> dict[str, Sequence[str]]:
    """Those asked for, by any of their names; all when none is named (RFC 4511 4.5.1.8)."""
    wanted = {SYNONYMS.get(name.lower(), name.lower()) for name in names if name != NONE}
    everything = not names or ALL_USER in names
    return {
        name: () if types_only else values
        for name, values in attributes.items()
        if everything or name.lower() in wanted
    }


def below_base(dn: str) -> bool | None:
    """True: the base or above (an empty name), False: an entry's own name; None: nothing that is here."""
    plain = ",".join("=".join(part.strip() for part in rdn.split("=")) for rdn in dn.casefold().split(","))
    if plain in ("", BASE, "o=mssante"):
        return True
    return False if plain.startswith("mail=") and plain.endswith("," + BASE) else None


def address_in(dn: str) -> str:
    """The address in an entry's name, or in the name that somebody signs in by; the text itself when it is no such name."""
    name, equals, value = dn.partition("=")
    if not equals or name.strip().casefold() not in ("mail", "uid", "cn"):
        return dn
    return _first_value(value).strip()


def _first_value(text: str) -> str:
    """Up to the first comma or plus that no backslash is before (RFC 4514 3)."""
    found, escaped = [], False
    for char in text:
        if escaped or char not in ",+\\":
            found.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            break
    return "".join(found)


def _escaped(value: str) -> str:
    """RFC 4514 2.4; an address has no spaces at its ends."""
    escaped = "".join(f"\\{char}" if char in '",+;<>\\=' else char for char in value)
    return f"\\{escaped}" if escaped.startswith("#") else escaped
