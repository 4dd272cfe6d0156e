"""Hostile octets by the million, guided by what they reach (atheris, libFuzzer). At night or by hand, not in CI:

    .venv/bin/python -m pip install atheris
    .venv/bin/python -m tests.fuzz mime -max_total_time=3600 FOLDER tests/mailserver/messages
    .venv/bin/python -m tests.fuzz imap -max_total_time=3600 FOLDER

What is found is kept in FOLDER; a crash becomes a message in `tests/mailserver/messages` or a transcript.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["mailserver"]):
    from tests.fuzz.targets import TARGETS

atheris.Setup(sys.argv[1:], TARGETS[sys.argv[1]])
atheris.Fuzz()
