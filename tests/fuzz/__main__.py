"""Hostile octets by the million, guided by what they reach (atheris, libFuzzer). At night or by hand, not in CI:

    .venv/bin/python -m pip install atheris
    .venv/bin/python -m tests.fuzz mime -max_total_time=3600 FOLDER
    .venv/bin/python -m tests.fuzz imap -max_total_time=3600 FOLDER

The search begins with the repository's messages or transcripts (`seeds`). FOLDER keeps what it reaches and may be an
earlier night's; a crash becomes a message in `tests/mailserver/messages` or a transcript.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

from tests.fuzz.seeds import sow

with atheris.instrument_imports(include=["mailserver"]):
    from tests.fuzz.targets import TARGETS

_, target, *options = sys.argv
sow(target, Path(options[-1]))
atheris.Setup([target, *options], TARGETS[target])
atheris.Fuzz()
