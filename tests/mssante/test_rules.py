"""The decision table docs/rules/who_may_write.tsv, row by row, and properties over all facts."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssante import reasons, rules
from mssante.kinds import BoxKind, BoxState, ClosedMeans, ExchangeState, Party, ProfileState
from mssante.rules import Allowed, ExchangeFacts, MessageFacts, RecipientFacts, Refused, SenderFacts, decide

TABLE = Path(__file__).parents[2] / "docs" / "rules" / "who_may_write.tsv"
CLOSED_AT = 1_794_472_800_000  # 12 November 2026, 9 h 40 in Paris
VALUES: dict[str, Any] = {"state": BoxState, "profile": ProfileState, "kind": BoxKind, "sector": str, "closed_at": int}
MESSAGES = {
    "-": MessageFacts(),
    "notice": MessageFacts(notice=True),
    "prescription": MessageFacts(carries_prescription=True),
    "no_reply": MessageFacts(no_reply=True),
    "answers_no_reply": MessageFacts(answers_no_reply=True),
}


def table() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def facts(cell: str) -> tuple[Party, dict[str, Any]]:
    party, *pairs = cell.split(" ")
    named = dict(pair.split("=") for pair in pairs)
    return Party(party), {
        name: VALUES[name](value) if name in VALUES else {"yes": True, "no": False}[value]
        for name, value in named.items()
    }


def exchange(cell: str) -> ExchangeFacts | None:
    if cell == "-":
        return None
    state, *pairs = cell.split(" ")
    named = dict(pair.split("=") for pair in pairs)
    until = int(named["until"]) if "until" in named else None
    if state == "open":
        return ExchangeFacts(ExchangeState.OPEN, reply_until=until)
    means = ClosedMeans(named.get("means", "header"))
    return ExchangeFacts(ExchangeState.CLOSED, CLOSED_AT, "Dr Diallo", means, until)


def told(verdict: Allowed | Refused) -> str:
    if isinstance(verdict, Refused):
        return verdict.reason.name
    marks = " opens" * verdict.opens_exchange + " no-reply" * verdict.no_reply
    return f"allowed {verdict.clause.removeprefix('rules ')}{marks}"


@pytest.mark.parametrize("row", table(), ids=lambda row: f"{row['row']}: {row['why']}")
def test_row(row: dict[str, str]) -> None:
    sender_party, sender = facts(row["sender"])
    recipient_party, recipient = facts(row["recipient"])
    now = int(row["message"].removeprefix("now=")) if row["message"].startswith("now=") else 0
    message = MESSAGES.get(row["message"], MessageFacts())
    verdict = decide(
        SenderFacts(sender_party, **sender),
        RecipientFacts(recipient_party, **recipient),
        exchange(row["exchange"]),
        message,
        now,
    )
    assert told(verdict) == row["verdict"]


def test_every_row_of_section_3_is_in_the_table() -> None:
    assert {row["row"] for row in table()} == {*"123456789", "notice"}


def test_every_reason_of_section_3_is_reached_by_the_table() -> None:
    reached = {row["verdict"] for row in table() if not row["verdict"].startswith("allowed")}
    section = {reason.name for reason in reasons.REASONS.values() if reason.clause.startswith("rules 3")}
    assert section - reached == {"no_rule", "bad_address"}  # a hole, and a fault of syntax before any rule


def test_closed_exchange_says_who_and_when() -> None:
    verdict = decide(
        SenderFacts(Party.CITIZEN),
        RecipientFacts(Party.PROFESSIONAL),
        ExchangeFacts(ExchangeState.CLOSED, CLOSED_AT, "Dr Awa Diallo", ClosedMeans.HEADER),
        MessageFacts(),
        CLOSED_AT + 1,
    )
    assert isinstance(verdict, Refused)
    sentence = verdict.reason.in_french(verdict.detail)
    assert "Dr Awa Diallo" in sentence
    assert "12\u00a0novembre 2026 à 9\u00a0h\u00a040" in sentence


def senders() -> st.SearchStrategy[SenderFacts]:
    return st.builds(SenderFacts, party=st.sampled_from(Party), domain=st.just("a.example"))


def recipients() -> st.SearchStrategy[RecipientFacts]:
    return st.builds(RecipientFacts, sector=st.sampled_from([None, "SA33", "SA25"]), closed_at=st.none() | st.just(1))


def cases() -> st.SearchStrategy[rules.Case]:
    exchanges = st.none() | st.builds(ExchangeFacts, closed_at=st.just(CLOSED_AT))
    return st.builds(
        rules.Case, senders(), recipients(), exchanges, st.builds(MessageFacts), st.integers(0, 2 * CLOSED_AT)
    )


def run(case: rules.Case) -> Allowed | Refused:
    return decide(case.sender, case.recipient, case.exchange, case.message, case.now)


@given(cases())
def test_rules_leave_no_hole(case: rules.Case) -> None:
    verdict = run(case)
    if isinstance(verdict, Refused):
        assert verdict.reason is not reasons.NO_RULE
        assert "{" not in verdict.reason.in_french(verdict.detail) + verdict.reason.in_english(verdict.detail)


@given(cases())
def test_citizens_never_reach_citizens_and_nobody_an_untrusted_domain(case: rules.Case) -> None:
    if case.between(Party.CITIZEN, Party.CITIZEN) and not case.message.notice:
        assert isinstance(run(case), Refused)
    if not (case.recipient.domain_trusted and case.sender.domain_trusted):
        assert isinstance(run(case), Refused)


@given(cases())
def test_only_professionals_and_prescriptions_open_an_exchange(case: rules.Case) -> None:
    verdict = run(case)
    if isinstance(verdict, Allowed) and verdict.opens_exchange:
        assert not case.message.notice
        assert case.between(Party.PROFESSIONAL, Party.CITIZEN) or case.message.carries_prescription


@given(cases())
def test_citizen_of_ours_writes_only_where_invited(case: rules.Case) -> None:
    """Whatever the other facts: without exchange or prescription, no citizen of ours reaches a professional."""
    quiet = dataclasses.replace(
        case, exchange=None, message=MessageFacts(answers_no_reply=case.message.answers_no_reply)
    )
    if quiet.between(Party.CITIZEN, Party.PROFESSIONAL) and quiet.sender.ours:
        assert isinstance(run(quiet), Refused)
