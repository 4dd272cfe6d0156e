"""Where the search begins: what lies in the repository, as it comes over the wire."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

MAIL = Path(__file__).parents[1] / "mailserver"
_SAID = re.compile(r"(?:^C: .*\n)+", re.MULTILINE)


def messages() -> Iterator[bytes]:
    for path in sorted(MAIL.rglob("*.eml")):
        yield path.read_bytes()


def commands() -> Iterator[bytes]:
    """What a client of the transcripts says before the server speaks again: commands, and literals' octets."""
    for path in sorted(MAIL.rglob("imap/transcripts/*.txt")):
        for turn in _SAID.findall(path.read_text(encoding="utf-8")):
            yield turn.replace("C: ", "").replace("\n", "\r\n").encode()


def sow(target: str, folder: Path) -> None:
    """A file in `folder` for each seed of `target`."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in commands() if target == "imap" else messages():
        (folder / sha256(seed).hexdigest()[:16]).write_bytes(seed)
