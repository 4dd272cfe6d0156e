"""The last net of the logs: what still looks like an INS number or an address is blanked."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssante.identity import demo_ins
from runtime.logs import _redact_record, redact

ROOT = Path(__file__).resolve().parents[2]
CRASHES = """
import asyncio, gc, logging, sys, threading
from runtime import logs, loop

NAME, INS = "Jacqueline MOREL", "279035121518989"
logs.configure()


def fault(*_):
    raise ValueError(f"no mailbox of {NAME}, {INS}")


class Falls:
    def __del__(self):
        fault()


async def main(stop):
    from twisted.internet import defer, reactor

    threading.Thread(target=fault).start()
    task = asyncio.ensure_future(asyncio.to_thread(fault))  # nobody waits for it
    await asyncio.wait([task])
    del task
    asyncio.get_running_loop().call_soon(fault, NAME)
    defer.Deferred().addCallback(fault).callback(None)
    reactor.callLater(0, fault)
    Falls()
    gc.collect()
    logging.getLogger("aiosmtpd").error("from %s, %d octets", NAME, 12)
    try:
        fault()
    except ValueError:
        logging.getLogger("uvicorn.error").exception("of %s", NAME)
    await asyncio.sleep(0.1)


loop.run(main)
fault()
"""


@given(st.integers(0, 999), st.sampled_from([1, 2]), st.integers(1920, 2026), st.integers(1, 12))
def test_no_ins_number_passes(serial: int, sex: int, year: int, month: int) -> None:
    ins = demo_ins(serial, sex=sex, birth_year=year, birth_month=month).value
    event = redact(None, "info", {"event": "x", "text": f"refused {ins} at the door", "short": ins[:13]})
    assert ins[:13] not in str(event)


@pytest.mark.parametrize("text", ["a@b.example", "<camille.roche@medecins.alpha.example>", "to=x+y@z.fr,"])
def test_no_address_passes(text: str) -> None:
    assert "@" not in str(redact(None, "info", {"text": text}))


def test_library_logs_are_blanked_and_lose_their_traceback() -> None:
    record = logging.LogRecord(
        "lib", logging.ERROR, "f.py", 1, "from %s", ("a@b.example",), (ValueError, ValueError(), None)
    )
    _redact_record(record)
    assert record.getMessage() == "from […] (ValueError at ?)"
    assert record.exc_info is None


def test_ordinary_values_stay() -> None:
    event = {"event": "ready", "count": 3, "doors": ["mx"], "at": "base.py:1714"}
    assert redact(None, "info", dict(event)) == event


def test_no_crash_says_what_people_wrote() -> None:
    """In the process, in a thread, in a task, in a callback, in a Deferred, in a destructor, in a library."""
    done = subprocess.run([sys.executable, "-c", CRASHES], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "MOREL" not in said
    assert "279035121518989" not in said
    assert "Traceback" not in said
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {one["event"] for one in events} == {"crashed", "thread_crashed", "fault_ignored", "twisted_fault"}
    assert {(one["error"], one["at"].partition(":")[0]) for one in events} == {("ValueError", "<string>")}
    others = [line for line in said.splitlines() if not line.startswith("{")]
    assert "ERROR aiosmtpd from […], 12 octets" in others
    assert any(line.startswith("ERROR uvicorn.error of […] (ValueError at <string>:") for line in others)
    assert any(line.startswith("ERROR asyncio Task exception was never retrieved (ValueError at ") for line in others)
    assert any(line.startswith("ERROR asyncio Exception in callback") for line in others)
