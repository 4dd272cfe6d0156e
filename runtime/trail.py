"""The audit trail out of the house: exported with a signature that openssl checks, and compared with an export of before.

An export is a folder:

    trail.jsonl      one row a line, each with the digest before it and its own: every line can be checked by itself
    summary.json     whose trail, which days, how many rows, what was found wrong
    SHA256SUMS       of these two
    SHA256SUMS.p7s   signature of that by the operator's certificate (CMS, detached)

    openssl cms -verify -binary -inform PEM -in SHA256SUMS.p7s -content SHA256SUMS -CAfile anchors.pem -purpose any -out /dev/null
    sha256sum -c SHA256SUMS
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from certs.cms import Signer
from foundation.audit import Fault, Link, Wrong, checked
from foundation.tables import audit

TRAIL, SUMMARY, SUMS, SIGNATURE = "trail.jsonl", "summary.json", "SHA256SUMS", "SHA256SUMS.p7s"


@dataclass(slots=True)
class Seen:
    """What was looked at; `first_at` and `last_at` in ms, None when there is no row."""

    rows: int = 0
    chains: int = 0
    first_at: int | None = None
    last_at: int | None = None
    faults: list[Fault] = field(default_factory=list)

    def add(self, link: Link) -> None:
        at: int = link.row["at"]
        self.rows += 1
        self.first_at = at if self.first_at is None else min(self.first_at, at)
        self.last_at = at if self.last_at is None else max(self.last_at, at)
        self.faults += link.faults


def look(conn: Connection) -> Seen:
    seen, chain = Seen(), ""
    for link in checked(conn):
        seen.add(link)
        seen.chains += link.row["chain"] != chain
        chain = link.row["chain"]
    return seen


def export(conn: Connection, signer: Signer, folder: Path, about: dict[str, Any], since: int, until: int) -> Seen:
    """The rows of [since, until[ (ms) into `folder`, which is new. The whole trail is verified all the same: what is wrong with it
    stands in the summary.
    """
    folder.mkdir(parents=True, mode=0o700)
    seen, chains, sums = Seen(), set[str](), sha256()
    faults: list[Fault] = []
    with open(folder / TRAIL, "xb") as file:
        for link in checked(conn):
            faults += link.faults
            if since <= link.row["at"] < until:
                seen.add(link)
                chains.add(link.row["chain"])
                line = _line(link)
                sums.update(line)
                file.write(line)
    seen.chains, seen.faults = len(chains), faults
    summary = json.dumps(
        about
        | {"rows": seen.rows, "chains": seen.chains, "first_at": seen.first_at, "last_at": seen.last_at}
        | {"faults": [str(fault) for fault in faults]},
        indent=1,
    ).encode()
    (folder / SUMMARY).write_bytes(summary)
    listed = f"{sums.hexdigest()}  {TRAIL}\n{sha256(summary).hexdigest()}  {SUMMARY}\n".encode()
    (folder / SUMS).write_bytes(listed)
    (folder / SIGNATURE).write_bytes(signer.beside(listed))
    return seen


def _line(link: Link) -> bytes:
    row = {name: link.row[name] for name in ("chain", "seq", "at", "event", "actor", "details")}
    return json.dumps(row | {"previous": link.previous.hex(), "digest": link.row["digest"].hex()}).encode() + b"\n"


def compare(conn: Connection, folder: Path) -> Iterator[Fault]:
    """What an export of before had and the trail has no more. Within a chain each digest vouches for all rows before it, so the
    last row of each is asked for. Raises OSError, ValueError.
    """
    last: dict[str, tuple[int, str]] = {}
    with open(folder / TRAIL, encoding="ascii") as file:
        for row in map(json.loads, file):
            last[row["chain"]] = (row["seq"], row["digest"])
    for chain, (seq, digest) in last.items():
        query = select(audit.c.digest).where(audit.c.chain == chain, audit.c.seq == seq)
        now = conn.execute(query).scalar_one_or_none()
        if now is None:
            yield Fault(Wrong.MISSING, chain, seq)
        elif now.hex() != digest:
            yield Fault(Wrong.ALTERED, chain, seq)
