"""Where the search begins: what lies in the repository, as it comes over the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from itertools import chain
from pathlib import Path

from mailserver.ldap.ber import element
from tests.mailserver.contents.compound_writer import attached, compound, letter
from tests.mailserver.contents.tnef_writer import outlook
from tests.mailserver.ldap.asking import equal, search, substrings

MAIL = Path(__file__).parents[1] / "mailserver"
_SAID = re.compile(r"(?:^C: .*\n)+", re.MULTILINE)


def messages() -> Iterator[bytes]:
    for path in sorted(MAIL.rglob("*.eml")):
        yield path.read_bytes()


def commands(protocol: str) -> Iterator[bytes]:
    """What a client of the transcripts says before the server speaks again: commands, and literals' octets."""
    for path in sorted(MAIL.rglob(f"{protocol}/transcripts/*.txt")):
        for turn in _SAID.findall(path.read_text(encoding="utf-8")):
            yield turn.replace("C: ", "").replace("\n", "\r\n").encode()


def searches() -> Iterator[bytes]:
    yield search(equal("mail", "claire.martin@cabinet.example"))
    yield search(element(0xA0, substrings("cn", "martin"), element(0xA1, equal("l", "lyon"), equal("title", "x"))))


def attachments() -> Iterator[bytes]:
    for path in sorted((MAIL / "contents" / "files").iterdir()):
        yield path.read_bytes()
    yield outlook(b"cr.pdf", b"%PDF-1.7")
    yield compound(letter(attached(b"%PDF-1.7", "cr.pdf")))


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "mime": messages,
    "imap": partial(commands, "imap"),
    "smtp": messages,
    "peer": lambda: chain(messages(), commands("smtp")),
    "ldap": searches,
    "contents": attachments,
}


def sow(target: str, folder: Path) -> None:
    """A file in `folder` for each seed of `target`."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS[target]():
        (folder / sha256(seed).hexdigest()[:16]).write_bytes(seed)
