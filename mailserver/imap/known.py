"""What a client that listens (RFC 5465) knows of its folders: what it was told, and what it did itself.

It should not be told of what it caused (section 5). So each command of its own is counted in here as exactly what it did: what
others did at the same moment still differs from the tables, and is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mailserver.store import names
from mailserver.store.api import Folder, FolderStatus


@dataclass(slots=True)
class Known:
    """By folder; of annotations a hash of each value. `lost`: names subscribed without folder."""

    folders: dict[int, Folder] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    statuses: dict[int, FolderStatus] = field(default_factory=dict)
    annotations: dict[int, dict[str, int]] = field(default_factory=dict)

    def created(self, folders: Iterable[Folder]) -> None:
        """Empty ones, those above among them; what it knows already stays."""
        for folder in folders:
            self.folders.setdefault(folder.id, folder)
            self.statuses.setdefault(folder.id, FolderStatus(0, 0, 0, 1, folder.uid_validity, 1, 0))

    def deleted(self, folder_id: int) -> None:
        self.folders.pop(folder_id, None)

    def renamed(self, old: str, new: str) -> None:
        """INBOX stays where it is."""
        for folder in list(self.folders.values()) if old != names.INBOX else ():
            if (name := names.renamed(folder.name, old, new)) is not None:
                self.folders[folder.id] = replace(folder, name=name)

    def subscribed(self, name: str, wanted: bool) -> None:
        for folder in list(self.folders.values()):
            if folder.name == name:
                self.folders[folder.id] = replace(folder, subscribed=wanted)
        if not wanted:
            self.lost -= {name}

    def annotated(self, folder_id: int, values: Mapping[str, bytes | None]) -> None:
        kept = {**self.annotations.get(folder_id, {}), **{entry: hash(value) for entry, value in values.items()}}
        self.annotations[folder_id] = {
            entry: known for entry, known in kept.items() if values.get(entry, b"") is not None
        }

    def counted(self, folder_id: int, added: int = 0, gone: int = 0) -> None:
        """Messages that one command put into a folder, or took out of it: one MODSEQ."""
        before = self.statuses.get(folder_id)
        if before is not None and (added or gone):
            self.statuses[folder_id] = replace(
                before,
                messages=before.messages + added - gone,
                uid_next=before.uid_next + added,
                highest_modseq=before.highest_modseq + 1,
            )


def named_anew(
    before: Mapping[int, Folder], now: Mapping[int, Folder], wanted: Callable[[Folder], bool]
) -> dict[str, str | None]:
    """Names that came, went or were given to a folder, with the one that it had (RFC 5465 5.4).

    The folder above one that came or went is affected too; what went along with a folder above is not said for itself.
    """
    both = [(before[one], now[one]) for one in before.keys() & now.keys() if before[one].name != now[one].name]
    moves = {(old.name, new.name) for old, new in both if wanted(old) or wanted(new)}
    lone = [*(before[one] for one in before.keys() - now.keys()), *(now[one] for one in now.keys() - before.keys())]
    parents = {names.above(folder.name) for folder in lone}
    lone += [folder for folder in now.values() if folder.name in parents]
    told: dict[str, str | None] = {folder.name: None for folder in lone if wanted(folder)}
    return told | {new: old for old, new in moves if not _went_along(old, new, moves)}


def _went_along(old: str, new: str, moves: set[tuple[str, str]]) -> bool:
    above = names.above(old), names.above(new)
    return above in moves and names.renamed(old, *above) == new
