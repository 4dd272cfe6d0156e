"""Whom a mailbox writes with: the addresses of its latest letters, sent and received. Read from them when asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailserver.imap.rights import rights_in
from mailserver.sign_in import SignedIn
from mailserver.store.api import Folder, MailStore
from mssante.address import address_key

LATEST = 500  # letters of a folder that are looked at: 5 ms
SENT = "\\Sent"
_WRITTEN_TO, _WRITTEN_BY = (b"to:", b"cc:", b"bcc:"), (b"from:",)
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")


async def correspondents(store: MailStore, who: SignedIn) -> list[str]:
    """Address keys, of the latest letter first, of those folders that `who` may read; never that of the mailbox itself."""
    found: list[tuple[int, str]] = []
    for folder in await store.folders(who.box_id):
        fields = _WRITTEN_BY if folder.name == "INBOX" else _WRITTEN_TO if folder.special_use == SENT else ()
        if fields and "r" in rights_in(folder, who.role, who.member):
            found += await _in(store, folder, fields)
    return list(dict.fromkeys(address for _, address in sorted(found, reverse=True) if address != who.address))


async def _in(store: MailStore, folder: Folder, fields: Sequence[bytes]) -> list[tuple[int, str]]:
    """(date, address)."""
    columns = await store.look(folder.id)
    uids = columns.uids[-LATEST:]
    dates = dict(zip(uids, columns.dates[-LATEST:], strict=True))
    heads = await store.heads(folder.id, uids)
    return [(dates[uid], address) for uid, head in heads for address in _addresses(head, fields)]


def _addresses(head: bytes, fields: Sequence[bytes]) -> list[str]:
    """Of decoded fields, one a line. A name may look like an address: what is not in the directory is passed over there."""
    lines = [line.decode("utf-8", "replace") for line in head.split(b"\n") if line.startswith(tuple(fields))]
    keys = [address_key(address) for line in lines for address in _ADDRESS.findall(line)]
    return [key for key in keys if isinstance(key, str)]
