"""All mail of one mailbox as a ZIP file: `folder/number.eml`, and `index.csv` with what a message alone does not say."""

from __future__ import annotations

import asyncio
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailserver.store.api import Flag, Flags
from runtime.command import csv_text, moment

if TYPE_CHECKING:
    from mssante.mailbox import Mailbox
    from runtime.house import House

COLUMNS = ("file", "folder", "uid", "received_at", "flags", "octets")
_NAMES = ((Flag.SEEN, "\\Seen"), (Flag.ANSWERED, "\\Answered"), (Flag.FLAGGED, "\\Flagged"), (Flag.DRAFT, "\\Draft"))


def write_zip(house: House, box: Mailbox, to: Path) -> int:
    """Returns how many messages; raises OSError (FileExistsError: nothing is written over). Mode 0600: it is health data."""
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            return asyncio.run(_fill(house, box, archive))


async def _fill(house: House, box: Mailbox, archive: zipfile.ZipFile) -> int:
    """One message in memory at a time."""
    index: list[dict[str, Any]] = []
    for folder in await house.store.folders(box.id):
        _, rows = await house.store.rows(folder.id)
        for row in rows:
            content = await house.store.content(folder.id, row.uid)
            if content is None:  # expunged meanwhile
                continue
            name = f"{_path(folder.name)}/{row.uid:08}.eml"
            archive.writestr(name, content)
            received = moment(row.internal_date * 1000)
            values = (name, folder.name, row.uid, received, _written(row.flags), row.size)
            index.append(dict(zip(COLUMNS, values, strict=True)))
    archive.writestr("index.csv", csv_text(COLUMNS, index))
    return len(index)


def _path(folder: str) -> str:
    """Names of folders are their owner's: none may lead out of where the archive is opened."""
    parts = ("".join(sign if sign.isalnum() or sign in " -_'." else "_" for sign in part) for part in folder.split("/"))
    return "/".join(part.strip(". ") or "_" for part in parts)


def _written(flags: Flags) -> str:
    return " ".join([name for flag, name in _NAMES if flag in flags.system] + sorted(flags.keywords))
