"""fetchmail takes every message once and only once, octet by octet."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from tests.clients import corpus
from tests.clients.sides import digest, fill, imap
from tests.support.child import ends_with_us
from tests.support.clients import Ran, run
from tests.support.demo import Demo, wait_until

COUNT = 250
TOOK, NOTHING_NEW = 0, 1  # its exit codes


class Fetchmail:
    """Gives each message to a file of its own below `folder`."""

    def __init__(self, server: Demo, box: dict[str, Any], folder: Path, options: str) -> None:
        self.taken = folder / "taken"
        self.taken.mkdir()
        config, (host, port) = folder / "fetchmailrc", server.door("imaps")
        config.write_text(
            f"""set idfile "{folder}/ids"
set pidfile "{folder}/pid"
set no syslog
set invisible
poll {host} service {port} protocol IMAP
  username "{box["login"]}" password "{box["password"]}"
  ssl sslcertck sslcertfile "{server.operator()["ca"]}" sslcommonname "mail.alpha.example"
  mda "sh -c 'cat > $(mktemp {self.taken}/XXXXXX)'" no rewrite folder "INBOX" {options}
"""
        )
        config.chmod(0o600)
        self.command = ("fetchmail", "--nodetach", "--verbose", "--fetchmailrc", str(config))

    def poll(self) -> Ran:
        return run(*self.command)

    def digests(self) -> Counter[str]:
        return Counter(digest(path.read_bytes()) for path in self.taken.iterdir())


def inbox(numbers: range) -> list[int]:
    return [number for number in numbers if corpus.folder(number) == "INBOX"]


def wanted(numbers: list[int]) -> Counter[str]:
    """The last line of a message without an end gets one from fetchmail."""
    return Counter(digest(corpus.message(number).removesuffix(b"\r\n") + b"\r\n") for number in numbers)


def test_all_are_taken_away_once(server: Demo, box: dict[str, Any], tmp_path: Path) -> None:
    fetchmail = Fetchmail(server, box, tmp_path, "fetchall no keep")
    fill(server, box, range(COUNT))
    assert (first := fetchmail.poll()).code == TOOK, first.out
    assert fetchmail.digests() == wanted(inbox(range(COUNT)))
    assert fetchmail.poll().code == NOTHING_NEW
    fill(server, box, range(COUNT, COUNT + 10))
    assert (last := fetchmail.poll()).code == TOOK, last.out
    assert fetchmail.digests() == wanted(inbox(range(COUNT + 10)))
    with imap(server, box) as client:
        assert client.folder_status("INBOX", ["MESSAGES"]) == {b"MESSAGES": 0}
        assert client.folder_status("Archives", ["MESSAGES"])[b"MESSAGES"] > 0


def test_kept_ones_are_taken_once(server: Demo, box: dict[str, Any], tmp_path: Path) -> None:
    """Only those without \\Seen, which they have afterwards."""
    fetchmail = Fetchmail(server, box, tmp_path, "keep")
    fill(server, box, range(COUNT))
    unseen = [number for number in inbox(range(COUNT)) if "\\Seen" not in corpus.flags(number)]
    assert (first := fetchmail.poll()).code == TOOK, first.out
    assert fetchmail.poll().code == NOTHING_NEW
    assert fetchmail.digests() == wanted(unseen)
    with imap(server, box) as client:
        assert client.folder_status("INBOX", ["MESSAGES", "UNSEEN"]) == {
            b"MESSAGES": len(inbox(range(COUNT))),
            b"UNSEEN": 0,
        }


def test_one_that_waits_is_told_at_once(server: Demo, box: dict[str, Any], tmp_path: Path) -> None:
    """By IDLE: its next poll would be in an hour."""
    fetchmail = Fetchmail(server, box, tmp_path, "idle keep")
    with (tmp_path / "said").open("w") as said:
        running = subprocess.Popen(ends_with_us(*fetchmail.command, "--daemon", "3600"), stdout=said, stderr=said)
        try:
            wait_until(lambda: re.search(r"> \S+ IDLE\n", (tmp_path / "said").read_text()), why="fetchmail waits")
            fill(server, box, range(2))
            wait_until(lambda: fetchmail.digests() == wanted([0, 1]), why="two messages")
        finally:
            running.terminate()
            running.wait(10)


def test_a_wrong_password_is_said(server: Demo, tmp_path: Path) -> None:
    refused = Fetchmail(server, server.person("laboratoire") | {"password": "faux"}, tmp_path, "keep").poll()
    assert refused.code == 3
    assert "Authorization failure" in refused.out
