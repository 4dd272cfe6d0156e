"""A mailbox as plain Python lists, and a client that believes what it is told: what the random sessions are checked against."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Flags = frozenset[str]


@dataclass
class Message:
    flags: Flags
    modseq: int


@dataclass
class Mailbox:
    """What RFC 9051 and RFC 7162 ask of a mailbox; every change takes one MODSEQ."""

    messages: dict[int, Message] = field(default_factory=dict)
    uid_next: int = 1
    modseq: int = 1

    def add(self, flags: list[Flags]) -> list[int]:
        self.modseq += 1
        uids = list(range(self.uid_next, self.uid_next + len(flags)))
        self.messages |= {uid: Message(one, self.modseq) for uid, one in zip(uids, flags, strict=True)}
        self.uid_next += len(flags)
        return uids

    def remove(self, uids: list[int]) -> None:
        if uids:
            self.modseq += 1
        for uid in uids:
            del self.messages[uid]

    def store(self, uids: list[int], op: str, flags: Flags, unchanged_since: int | None) -> list[int]:
        """The UIDs spared because of UNCHANGEDSINCE."""
        here = [uid for uid in uids if uid in self.messages]
        spared = [uid for uid in here if unchanged_since is not None and self.messages[uid].modseq > unchanged_since]
        changes = {uid: stored(self.messages[uid].flags, op, flags) for uid in here if uid not in spared}
        changes = {uid: new for uid, new in changes.items() if new != self.messages[uid].flags}
        self.modseq += bool(changes)
        for uid, new in changes.items():
            self.messages[uid] = Message(new, self.modseq)
        return spared

    def deleted(self) -> list[int]:
        return [uid for uid, message in self.messages.items() if "\\Deleted" in message.flags]


def stored(before: Flags, op: str, flags: Flags) -> Flags:
    return {"FLAGS": flags, "+FLAGS": before | flags, "-FLAGS": before - flags}[op]


def numbers_of(text: str) -> list[int]:
    """Of a sequence set without `*`."""
    found: list[int] = []
    for item in text.split(","):
        first, _, last = item.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


def set_of(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


@dataclass
class Result:
    """What a SEARCH or a SORT found, as its updates tell (RFC 5267 4.3)."""

    uid: bool
    found: list[int]

    def change(self, item: str, pairs: list[str]) -> None:
        for place, numbers in zip(map(int, pairs[::2]), map(numbers_of, pairs[1::2]), strict=True):
            if item == "ADDTO":
                assert not set(numbers) & set(self.found)
                at = place - 1 if place else len(self.found)
                self.found[at:at] = numbers
            else:
                assert set(numbers) <= set(self.found)
                assert not place or self.found[place - 1 :][: len(numbers)] == numbers
                self.found = [number for number in self.found if number not in numbers]
            if not place:  # in the order of the mailbox
                self.found.sort()

    def gone(self, number: int) -> None:
        if not self.uid:
            assert number not in self.found  # REMOVEFROM came first
            self.found = [one - (one > number) for one in self.found]


class Believer:
    """One session's client. `order`: UID by message number, None while it was told EXISTS only; `results` by tag."""

    def __init__(self) -> None:
        self.order: list[int | None] = []
        self.flags: dict[int, Flags] = {}
        self.modseqs: dict[int, int] = {}
        self.results: dict[str, Result] = {}
        self.statuses: dict[str, tuple[int, int]] = {}  # of other folders: messages, next UID
        self.highest = 0

    def forget_numbers(self) -> None:
        self.order = []
        self.results = {}

    def forget(self) -> None:
        statuses = self.statuses
        self.__init__()  # type: ignore[misc]
        self.statuses = statuses

    def hear(self, said: bytes, may_expunge: bool) -> list[str]:
        """Takes the untagged news in; gives back every line."""
        lines = said.decode().split("\r\n")[:-1]
        for line in lines:
            if match := re.fullmatch(r"\* (\d+) EXISTS", line):
                more = int(match[1]) - len(self.order)
                assert more >= 0, line
                self.order += [None] * more
            elif match := re.fullmatch(r"\* (\d+) EXPUNGE", line):
                assert may_expunge, line
                self._moved_up(int(match[1]))
                self._gone(self.order.pop(int(match[1]) - 1))
            elif match := re.fullmatch(r"\* VANISHED (\(EARLIER\) )?(\S+)", line):
                for uid in numbers_of(match[2]):
                    if not match[1]:
                        assert may_expunge, line
                        # Of a message it only knows by EXISTS, the first unknown number is meant: UIDs ascend.
                        self._moved_up(self.order.index(uid if uid in self.order else None) + 1)
                        self.order.remove(uid if uid in self.order else None)
                    self._gone(uid)
            elif match := re.fullmatch(r'\* ESEARCH \(TAG "(\S+)"\)( UID)?(?: ALL (\S+))?', line):
                self.results[match[1]] = Result(bool(match[2]), numbers_of(match[3]) if match[3] else [])
            elif match := re.fullmatch(r'\* ESEARCH \(TAG "(\S+)"\)( UID)? (ADDTO|REMOVEFROM) \((.+)\)', line):
                assert self.results[match[1]].uid is bool(match[2])
                self.results[match[1]].change(match[3], match[4].split())
            elif match := re.match(r'\* STATUS "(.+)" \(MESSAGES (\d+) UIDNEXT (\d+) ', line):
                self.statuses[match[1]] = int(match[2]), int(match[3])
            elif match := re.fullmatch(r"\* (\d+) FETCH \((.*)\)", line):
                self._fetched(int(match[1]), match[2])
            elif match := re.search(r"\[HIGHESTMODSEQ (\d+)\]", line):
                assert int(match[1]) >= self.highest, line
                self.highest = int(match[1])
        if may_expunge:  # else an expunge older than what was told may still wait to be
            self.highest = max([self.highest, *self.modseqs.values()])
        return lines

    def _moved_up(self, number: int) -> None:
        for result in self.results.values():
            result.gone(number)

    def _gone(self, uid: int | None) -> None:
        if uid is not None:
            self.flags.pop(uid, None)
            self.modseqs.pop(uid, None)

    def _fetched(self, number: int, items: str) -> None:
        assert 1 <= number <= len(self.order), items
        if match := re.search(r"UID (\d+)", items):
            uid = int(match[1])
            assert self.order[number - 1] in (None, uid), items
            assert uid not in self.order[: number - 1] + self.order[number:], items
            self.order[number - 1] = uid
        known = self.order[number - 1]
        if known is None:
            return
        if match := re.search(r"FLAGS \(([^)]*)\)", items):
            self.flags[known] = frozenset(match[1].split())
        if match := re.search(r"MODSEQ \((\d+)\)", items):
            assert int(match[1]) >= self.modseqs.get(known, 0), items
            self.modseqs[known] = int(match[1])
