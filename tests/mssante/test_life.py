"""The decision table docs/rules/life.tsv, row by row; and who may sit in a mailbox."""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssante.kinds import BoxKind, BoxState
from mssante.life import SHARED, Act, Not, Seat, Standing, after, passes_to, seated
from mssante.rights import Role

TABLE = Path(__file__).parents[2] / "docs" / "rules" / "life.tsv"


def table() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def standings(row: dict[str, str]) -> list[Standing]:
    kinds = list(BoxKind) if row["kind"] == "any" else [BoxKind(kind) for kind in row["kind"].split()]
    erased = row["state"] == "erased"
    return [Standing(kind, BoxState.CLOSED if erased else BoxState(row["state"]), erased) for kind in kinds]


@pytest.mark.parametrize("row", table(), ids=lambda row: f"{row['act']} {row['kind']} {row['state']}")
def test_each_row(row: dict[str, str]) -> None:
    verdict = row["verdict"]
    expected = Not(verdict.removeprefix("not ")) if verdict.startswith("not ") else BoxState(verdict)
    assert {after(Act(row["act"]), box) for box in standings(row)} == {expected}


def test_the_table_speaks_of_every_act_and_every_refusal_of_an_act() -> None:
    assert {row["act"] for row in table()} == {act.value for act in Act}
    boxes = [Standing(*facts) for facts in product(BoxKind, BoxState, (False, True))]
    said = {verdict for act, box in product(Act, boxes) if isinstance(verdict := after(act, box), Not)}
    assert {f"not {why.value}" for why in said} == {
        row["verdict"] for row in table() if row["verdict"].startswith("not ")
    }


def test_a_personal_mailbox_never_passes_to_another_person() -> None:
    assert passes_to(BoxKind.PER, "810000001", "810000002") is Not.ANOTHER_PERSON
    assert passes_to(BoxKind.PER, "810000001", "") is Not.ANOTHER_PERSON
    assert passes_to(BoxKind.PER, "", "810000001") is None  # not known before
    assert passes_to(BoxKind.PER, "810000001", "810000001") is None
    assert passes_to(BoxKind.ORG, "990000019", "990000027") is None


seats = st.lists(
    st.builds(Seat, st.integers(1, 5), st.sampled_from(Role), st.booleans()), unique_by=lambda seat: seat.member
)


@given(st.sampled_from(BoxKind), seats, st.builds(Seat, st.integers(0, 5), st.sampled_from(Role), st.booleans()))
def test_a_team_keeps_a_holder_and_the_others_have_one_person(kind: BoxKind, now: list[Seat], new: Seat) -> None:
    if seated(kind, now, new) is not None:
        return
    then = [seat for seat in now if seat.member != new.member and seat.active] + ([new] if new.active else [])
    if kind in SHARED:
        held = any(seat.role is Role.HOLDER for seat in now if seat.active)
        assert not held or any(seat.role is Role.HOLDER for seat in then)
    else:
        assert new.role is Role.HOLDER
        assert not new.active or len(then) == 1


@pytest.mark.parametrize(
    ("kind", "now", "new", "why"),
    [
        ("ORG", [Seat(1, Role.HOLDER, True)], Seat(0, Role.READER, True), None),
        ("ORG", [], Seat(0, Role.MEMBER, True), None),  # a holder may come later
        ("ORG", [Seat(1, Role.HOLDER, True), Seat(2, Role.MEMBER, True)], Seat(1, Role.HOLDER, False), Not.LAST_HOLDER),
        ("ORG", [Seat(1, Role.HOLDER, True), Seat(2, Role.MEMBER, True)], Seat(1, Role.READER, True), Not.LAST_HOLDER),
        ("ORG", [Seat(1, Role.HOLDER, True), Seat(2, Role.HOLDER, True)], Seat(1, Role.READER, True), None),
        ("PER", [Seat(1, Role.HOLDER, True)], Seat(0, Role.HOLDER, True), Not.ONE_PERSON),
        ("PER", [Seat(1, Role.HOLDER, False)], Seat(0, Role.HOLDER, True), None),
        ("PER", [Seat(1, Role.HOLDER, True)], Seat(1, Role.HOLDER, False), None),
        ("APP", [], Seat(0, Role.MEMBER, True), Not.HOLDERS_ONLY),
    ],
)
def test_who_may_sit_where(kind: str, now: list[Seat], new: Seat, why: Not | None) -> None:
    assert seated(BoxKind(kind), now, new) is why
