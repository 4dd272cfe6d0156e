"""The last net of the logs: what still looks like an INS number or an address is blanked."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssante.identity import demo_ins
from runtime.logs import _redact_record, redact


@given(st.integers(0, 999), st.sampled_from([1, 2]), st.integers(1920, 2026), st.integers(1, 12))
def test_no_ins_number_passes(serial: int, sex: int, year: int, month: int) -> None:
    ins = demo_ins(serial, sex=sex, birth_year=year, birth_month=month).value
    event = redact(None, "info", {"event": "x", "text": f"refused {ins} at the door", "short": ins[:13]})
    assert ins[:13] not in str(event)


@pytest.mark.parametrize("text", ["a@b.example", "<camille.roche@medecins.alpha.example>", "to=x+y@z.fr,"])
def test_no_address_passes(text: str) -> None:
    assert "@" not in str(redact(None, "info", {"text": text}))


def test_library_logs_are_blanked_and_lose_their_traceback() -> None:
    record = logging.LogRecord("lib", logging.ERROR, "f.py", 1, "from %s", ("a@b.example",), (ValueError, None, None))
    _redact_record(record)
    assert record.getMessage() == "from […]"
    assert record.exc_info is None


def test_ordinary_values_stay() -> None:
    event = {"event": "ready", "count": 3, "doors": ["mx"], "at": "base.py:1714"}
    assert redact(None, "info", dict(event)) == event
