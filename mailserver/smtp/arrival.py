"""One message on its way into a blob: our own lines, its header once that is all there, then the rest as it comes.

What claims to be our Authentication-Results is left out (RFC 8601 5). Our own stands above Received (4); it is written at once in
its full size, and over that when the signatures are checked: a message is encrypted while it comes, and not copied for this.
Of what our own users send, whom it goes to in secret is left out too (RFC 5322 3.6.3), and a Return-Path (RFC 5321 4.4).
"""

from __future__ import annotations

import asyncio

from foundation.blob_receiver import Receiver
from foundation.blobs import PreparedBlob
from mailserver.delivery.headers import shown_as
from mailserver.mime.fields import MAX_HEADER, without
from mailserver.signatures.checking import Case, Checker
from mailserver.signatures.results import without_ours

SECRET = frozenset((b"bcc", b"resent-bcc", b"return-path"))


class Arrival:
    """`path` and `trace`: Return-Path, if any, and Received. `checker`: None where signatures are nobody's business.

    `own`: from one of our users. `shown`: the name that From shows of them; empty: what it likes.
    """

    def __init__(
        self,
        writer: Receiver,
        host: str,
        path: bytes,
        trace: bytes,
        checker: Checker | None,
        client_ip: str,
        own: bool = False,
        shown: str = "",
    ) -> None:
        self._own = own
        self._writer = writer
        self._host = host
        self._path = path
        self._trace = trace
        self._checker = checker
        self._client_ip = client_ip
        self._shown = shown
        self._case: Case | None = None
        self._header: bytearray | None = bytearray(b"\r\n")  # until it is all there; a message may begin with its body
        self._body = 0  # where it begins in the blob

    def write(self, data: bytes) -> None:
        if self._header is None:
            self._writer.write(data)
            return
        seen = max(0, len(self._header) - 3)
        self._header += data
        end = self._header.find(b"\r\n\r\n", seen)
        if end >= 0:
            self._begin(end + 2)
        elif len(self._header) > MAX_HEADER:  # refused when it is read
            self._begin(len(self._header))

    async def finish(self) -> PreparedBlob:
        """What went to the disk as it came waits for it, in a thread."""
        if self._header is not None:
            self._begin(len(self._header))
        if self._case is not None and self._checker is not None:
            told = await self._checker.judge(
                self._case, lambda: self._writer.pieces(self._body), self._writer.size - self._body
            )
            self._writer.put(len(self._path), told)
        if self._writer.large:
            return await asyncio.to_thread(self._writer.finish)
        return self._writer.finish()

    def abort(self) -> None:
        self._writer.abort()

    def _begin(self, end: int) -> None:
        assert self._header is not None
        came, self._header = bytes(self._header), None
        header, rest = came[2:end], came[end:]
        if self._own:
            header = without(header, lambda name, _: name in SECRET)
        if self._shown:
            header = shown_as(header, self._shown)
        head = b"".join((self._path, self._told(header), self._trace, without_ours(header, self._host)))
        self._body = len(head) + 2  # the blank line
        self._writer.write(head + rest)

    def _told(self, header: bytes) -> bytes:
        if self._checker is None:
            return b""
        told, self._case = self._checker.open(header, self._client_ip)
        if self._case is not None:
            self._writer.keep_first()
        return told
