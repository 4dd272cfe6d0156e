"""`Extraction_Correspondance_MSSante`: the public file of all mailboxes of the space, one a line (UTF-8, `|` between fields).

Columns are found by their names in the first line, whatever their order, case or accents; those unknown here are passed over. A
field that the file has no column for is left as it is in the directory. An identifier whose key does not fit is left out, its line
kept.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import IO

from mssante.address import address_key
from mssante.directory import Entry
from mssante.directory_words import folded
from mssante.identity import Invalid, parse_person_id, parse_structure_id
from mssante.kinds import BoxKind

SEPARATOR = "|"
LONGEST_LINE = 16_384  # octets; real ones have some 400
PIECE = 1 << 20

# folded name of a column -> what it says
COLUMNS = {
    "type de bal": "kind",
    "adresse bal": "address",
    "identification nationale pp": "person_id",
    "type identifiant structure": "structure_type",
    "identification structure": "structure_id",
    "service de rattachement": "service",
    "civilite d exercice": "title",
    "nom d exercice": "family_name",
    "prenom d exercice": "given_name",
    "libelle profession": "profession",
    "libelle savoir faire": "speciality",
    "raison sociale structure bal": "organisation",
    "enseigne commerciale structure bal": "sign",
    "l6ligneacheminement structure bal": "routing",
    "l6 ligne acheminement structure bal": "routing",
    "ligne acheminement structure bal": "routing",
    "libelle commune structure bal": "town",
    "code postal structure bal": "postcode",
    "code secteur d activite": "sector",
    "telephone structure bal": "phone",
}
# what a column says -> fields of the entry that come of it
FIELDS = {
    "kind": ("kind",),
    "person_id": ("person_id",),
    "structure_id": ("structure_id",),
    "service": ("service", "display_name"),
    "title": ("title", "display_name"),
    "family_name": ("family_name", "display_name"),
    "given_name": ("given_name", "display_name"),
    "profession": ("profession",),
    "speciality": ("speciality",),
    "organisation": ("organisation", "display_name"),
    "sign": ("organisation", "display_name"),
    "routing": ("town",),
    "town": ("town",),
    "postcode": ("postcode",),
    "sector": ("sector",),
    "phone": ("phone",),
}
TITLES = {"DR": "Dr", "PR": "Pr", "M": "M.", "MME": "Mme", "MLLE": "Mme"}


class Fault(Enum):
    """Why a line is passed over."""

    SHORT = "short"  # fewer fields than the first line names
    ADDRESS = "address"
    KIND = "kind"
    LONG = "long"
    CODING = "coding"  # not UTF-8


class NotAnExtraction(Exception):
    """The first line names no column of addresses, or the file is no text."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each thing stands in a line."""

    places: dict[str, int]
    width: int

    @property
    def changed(self) -> tuple[str, ...]:
        """Fields of the entry that this file speaks of."""
        return tuple(sorted({field for name in self.places if name in FIELDS for field in FIELDS[name]}))


def layout(first_line: str) -> Layout:
    """Raises `NotAnExtraction`."""
    names = [COLUMNS.get(folded(name)) for name in first_line.lstrip("\ufeff").rstrip("\r\n").split(SEPARATOR)]
    places = {name: at for at, name in reversed(list(enumerate(names))) if name}
    if "address" not in places:
        raise NotAnExtraction
    return Layout(places, max(places.values()) + 1)


def read_line(line: str, form: Layout) -> Entry | Fault:
    """`line` with or without its end."""
    fields = line.rstrip("\r\n").split(SEPARATOR)
    if len(fields) < form.width:
        return Fault.SHORT
    said = {name: fields[at].strip() for name, at in form.places.items()}
    address = address_key(said["address"])
    if isinstance(address, Invalid):
        return Fault.ADDRESS
    kind = _kind(said)
    if kind is None:
        return Fault.KIND
    organisation = said.get("sign") or said.get("organisation", "")
    title = titled(said.get("title", ""))
    given, family, service = _given(said.get("given_name", "")), said.get("family_name", ""), said.get("service", "")
    person = kind in (BoxKind.PER, BoxKind.CAB)
    label = (
        " ".join(filter(None, (title, given, family.upper())))
        if person
        else ", ".join(filter(None, (service, organisation)))
    )
    return Entry(
        address=address,
        kind=kind,
        display_name=label or organisation or address.partition("@")[0],
        profession=said.get("profession", ""),
        town=said.get("town") or _town(said.get("routing", "")),
        postcode=said.get("postcode", "")[:10],
        sector=said.get("sector") or None,
        structure_id=_structure(said.get("structure_id", "")),
        phone=said.get("phone", "")[:32],
        title=title,
        given_name=given,
        family_name=family,
        person_id=_person(said.get("person_id", "")),
        speciality=said.get("speciality", ""),
        organisation=organisation,
        service=service,
    )


def titled(title: str) -> str:
    """« Dr » for the registers' `DR`."""
    return TITLES.get(title.upper().rstrip("."), title)


def _kind(said: dict[str, str]) -> BoxKind | None:
    if "kind" not in said:
        return BoxKind.PER if said.get("family_name") else BoxKind.ORG
    return _KINDS.get(said["kind"].upper())


_KINDS = {kind.value: kind for kind in (BoxKind.PER, BoxKind.CAB, BoxKind.ORG, BoxKind.APP)}


@lru_cache(maxsize=65_536)
def _given(name: str) -> str:
    """`JEAN-PIERRE` and `jean-pierre` as « Jean-Pierre »."""
    return name.title() if name.isupper() or name.islower() else name


@lru_cache(maxsize=65_536)
def _town(routing: str) -> str:
    """The town of « 75012 PARIS CEDEX 12 » (NF Z 10-011, line 6)."""
    return " ".join(routing.lstrip("0123456789 ").split())


def _person(text: str) -> str:
    return text if text and not isinstance(parse_person_id(text), Invalid) else ""


@lru_cache(maxsize=65_536)
def _structure(text: str) -> str:
    """The FINESS or SIRET alone: the register writes it behind a digit that says which."""
    parsed = parse_structure_id(text) if text else None
    return "" if parsed is None or isinstance(parsed, Invalid) else parsed.value


# -------------------------------------------------------------------- the file
@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """The text (of the only file in it, when it is a zip) and its size in octets. Raises OSError, `NotAnExtraction`."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as plain:
            yield plain, path.stat().st_size
        return
    with zipfile.ZipFile(path) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        if len(files) != 1:
            raise NotAnExtraction
        with archive.open(files[0]) as inside:
            yield io.BufferedReader(inside, PIECE), files[0].file_size  # type: ignore[type-var]


def digest(file: IO[bytes], size: int) -> str:
    """By which an interrupted import knows its file again: the beginning and the size. Leaves the file after the beginning."""
    return sha256(file.read(PIECE) + str(size).encode()).hexdigest()


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines with their ends; of one longer than `LONGEST_LINE` the beginning, without an end."""
    while line := file.readline(LONGEST_LINE):
        yield line
        while line and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)
