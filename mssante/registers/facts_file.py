"""`PS_LibreAcces_…`: the public files of all professionals (UTF-8, `|` between fields), one activity, one skill (« savoir-faire »),
or one diploma or authorisation a line. Which of them a file is, is told by its columns, found by name as those of `extraction`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from mssante.directory_words import folded
from mssante.identity import Invalid, parse_finess, parse_person_id, parse_siret
from mssante.registers.extraction import SEPARATOR, NotAnExtraction
from mssante.registers.reading import Fault

READ_AS = 1  # changes with what is made of a line: all lines are read anew then
PERSON = "identification nationale pp"
LONGEST_CODE, LONGEST_LABEL = 32, 512


class Kind(Enum):
    """Of a fact; stored as it stands."""

    ACTIVITY = "activity"
    SKILL = "skill"
    DIPLOMA = "diploma"


# kind -> folded name of a column -> what it says
COLUMNS: Mapping[Kind, Mapping[str, str]] = {
    Kind.ACTIVITY: {
        "code profession": "profession",
        "code savoir faire": "code",
        "libelle savoir faire": "label",
        "code secteur d activite": "sector",
        "numero finess site": "finess",
        "numero siret site": "siret",
        "raison sociale site": "place",
        "libelle commune coord structure": "town",
    },
    Kind.SKILL: {
        "code profession": "profession",
        "code type savoir faire": "type",
        "code savoir faire": "code",
        "libelle savoir faire": "label",
    },
    Kind.DIPLOMA: {
        "code type diplome obtenu": "type",
        "code diplome obtenu": "code",
        "libelle diplome obtenu": "label",
        "code type autorisation": "permit_type",
        "code discipline autorisation": "permit",
        "libelle discipline autorisation": "permit_label",
    },
}
# the column that only this kind of file has
TELLING = {
    "code secteur d activite": Kind.ACTIVITY,
    "code diplome obtenu": Kind.DIPLOMA,
    "code type savoir faire": Kind.SKILL,  # activities have it too: looked at last
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each thing stands in a line."""

    kind: Kind
    person: int
    places: Mapping[str, int]
    width: int

    @property
    def salt(self) -> bytes:
        """Another one when the same line would be read otherwise."""
        said = (READ_AS, self.kind.value, self.person, self.width, sorted(self.places.items()))
        return sha256(repr(said).encode()).digest()


@dataclass(frozen=True, slots=True)
class Fact:
    """What a register says of a person. `profession`: TRE_G15; `type` and `code`: of the skill, the diploma or the authorisation;
    `sector`: TRE_R02; `structure_id`: FINESS or SIRET; `label`: the register's words."""

    person_id: str
    kind: Kind
    profession: str = ""
    type: str = ""
    code: str = ""
    label: str = ""
    sector: str = ""
    structure_id: str = ""
    place: str = ""
    town: str = ""


def layout(first_line: str) -> Layout:
    """Raises `NotAnExtraction`."""
    names = [folded(name) for name in first_line.lstrip("\ufeff").rstrip("\r\n").split(SEPARATOR)]
    kind = next((kind for column, kind in TELLING.items() if column in names), None)
    if kind is None or PERSON not in names:
        raise NotAnExtraction
    places = {said: names.index(column) for column, said in COLUMNS[kind].items() if column in names}
    person = names.index(PERSON)
    return Layout(kind, person, places, max(person, *places.values()) + 1)


def read_line(line: str, form: Layout) -> Fact | Fault:
    """`line` with or without its end."""
    fields = line.rstrip("\r\n").split(SEPARATOR)
    if len(fields) < form.width:
        return Fault.SHORT
    person = fields[form.person].strip()
    if isinstance(parse_person_id(person), Invalid):
        return Fault.IDENTIFIER
    said = {name: fields[at].strip() for name, at in form.places.items()}
    if form.kind is Kind.DIPLOMA and not said.get("code") and said.get("permit"):
        said |= {"type": said.get("permit_type", ""), "code": said["permit"], "label": said.get("permit_label", "")}
    return Fact(
        person,
        form.kind,
        profession=said.get("profession", "")[:LONGEST_CODE],
        type=said.get("type", "")[:LONGEST_CODE],
        code=said.get("code", "")[:LONGEST_CODE],
        label=said.get("label", "")[:LONGEST_LABEL],
        sector=said.get("sector", "")[:LONGEST_CODE],
        structure_id=_structure(said),
        place=said.get("place", "")[:LONGEST_LABEL],
        town=said.get("town", "")[:LONGEST_LABEL],
    )


def _structure(said: Mapping[str, str]) -> str:
    for name, parse in (("finess", parse_finess), ("siret", parse_siret)):
        found = parse(said.get(name, ""))
        if not isinstance(found, Invalid):
            return found.value
    return ""
