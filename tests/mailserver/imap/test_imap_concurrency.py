"""Many sessions on one mailbox: random commands on three stores, each answer checked against a mailbox in plain Python.

After each NOOP, and at any time in IDLE, a client's belief is exactly the mailbox; in between it never hears of an expunge
while message numbers are in use (RFC 9051 7.5.1), and no MODSEQ goes back.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from mailserver.sign_in import SignedIn
from mailserver.store import forgetting
from mailserver.store.memory import MemoryMailStore
from tests.mailserver.imap.believer import Believer, Flags, Mailbox, set_of, stored
from tests.mailserver.imap.player import DAY, PATIENT, Connection
from tests.mailserver.store.conftest import sql_parts
from tests.support.people import People

MODES = ("", "CONDSTORE", "QRESYNC", "NOTIFY")
# Hears of everything at any time, in the selected folder and in the others (RFC 5465).
LISTENING = "(selected (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge FlagChange))"
SESSIONS = st.sampled_from(range(len(MODES)))
FLAGS = st.frozensets(st.sampled_from(["\\Seen", "\\Deleted", "\\Flagged", "$Work"]), max_size=2)
SOME = st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True).map(sorted)
QUIET = frozenset(("FETCH", "STORE", "SEARCH", "SORT"))


class Client:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.belief = Believer()
        self.selected = self.idling = self.listening = False


class Sessions(RuleBasedStateMachine):
    """One mailbox for each sequence of commands; `store` and `run` are the test's."""

    store: Any
    run: Callable[[Awaitable[Any]], Any]
    boxes: Iterator[int]

    def __init__(self) -> None:
        super().__init__()
        self.box = next(self.boxes)
        self.inbox, self.other = Mailbox(), Mailbox()
        self.tags = itertools.count(1)
        self.clients: list[Client] = self.run(self._begin())

    async def _begin(self) -> list[Client]:
        people = People({"bob": ("x", SignedIn(self.box, "", "bob"))})
        await self.store.open_box(self.box)
        clients = []
        for mode in MODES:
            clients.append(Client(Connection(self.store, sign_in=people)))
            await clients[-1].connection.settle()
            await clients[-1].connection.ask(b"x LOGIN bob x")
            if mode == "NOTIFY":
                clients[-1].listening = True
                assert b"x OK" in await clients[-1].connection.ask(f"x NOTIFY SET {LISTENING}".encode())
            elif mode:
                await clients[-1].connection.ask(b"x ENABLE " + mode.encode())
        return clients

    def teardown(self) -> None:
        for client in self.clients:
            self.run(client.connection.close())

    def ask(self, client: Client, command: str, status: str = "OK") -> list[str]:
        """The answer's lines; it is OK, or `status`."""
        tag = f"a{next(self.tags)}"
        said = self.run(client.connection.ask(f"{tag} {command}".encode()))
        lines = client.belief.hear(said, client.listening or command.split()[0] not in QUIET)
        assert lines[-1].startswith(f"{tag} {status}"), (command, lines)
        return lines

    def ready(self, number: int) -> Client:
        """Selected, not idling, every message number known by its UID."""
        client = self.clients[number]
        if client.idling:
            self.stop(client)
        if not client.selected:
            self.select(number)
        self.complete(client)
        return client

    def complete(self, client: Client) -> None:
        """After EXISTS a client asks for what is new."""
        while None in client.belief.order:
            self.ask(client, "FETCH 1:* (UID FLAGS MODSEQ)")

    def stop(self, client: Client) -> None:
        client.idling = False
        client.belief.hear(self.run(client.connection.ask(b"DONE")), True)

    def named(self, client: Client, picks: list[int], uid: bool) -> tuple[str, list[int]]:
        """(the set as sent, the UIDs it means) for this client; numbers wrap, so that they are right."""
        if uid:
            return set_of(picks), [uid for uid in picks if uid in client.belief.order]
        numbers = sorted({(pick - 1) % len(client.belief.order) + 1 for pick in picks})
        return set_of(numbers), [client.belief.order[number - 1] or 0 for number in numbers]

    def agrees(self, client: Client) -> bool:
        belief, now = client.belief, self.inbox.messages
        order = [uid for uid in belief.order if uid is not None]
        return (
            len(belief.order) == len(now)
            and order == [uid for uid in now if uid in order]
            and all(belief.flags[uid] == now[uid].flags for uid in order if uid in belief.flags)
            and all(belief.modseqs[uid] <= now[uid].modseq for uid in order if uid in belief.modseqs)
            and all(result.found == self.wanted(result.uid) for result in belief.results.values())
            and (not client.listening or self.agrees_on_the_other(belief))
        )

    def agrees_on_the_other(self, belief: Believer) -> bool:
        return belief.statuses.get("Archives", (0, 1)) == (len(self.other.messages), self.other.uid_next)

    def wanted(self, uid: bool) -> list[int]:
        """What `watch` asks for."""
        deleted = self.inbox.deleted()
        return deleted if uid else [number for number, one in enumerate(self.inbox.messages, 1) if one in deleted]

    def check_idlers(self) -> None:
        async def heard(client: Client) -> None:
            for _ in range(400):
                said, client.connection.output = client.connection.output, b""
                client.belief.hear(said, True)
                if self.agrees(client):
                    return
                await asyncio.sleep(0.005)
            raise AssertionError((client.belief.__dict__, self.inbox))

        for client in self.clients:
            if client.idling or (client.listening and client.selected):
                self.run(heard(client))

    # ---------------------------------------------------------------- commands
    @rule(number=SESSIONS, told=st.sampled_from(["modseq", "uids", "sample"]))
    def select(self, number: int, told: str = "modseq") -> None:
        client = self.clients[number]
        if client.idling:
            self.stop(client)
        self.complete(client)
        belief, known, order = client.belief, "", [uid or 0 for uid in client.belief.order]
        belief.forget_numbers()
        if MODES[number] == "QRESYNC" and belief.highest:
            folder = self.run(self.store.folders(self.box))
            validity = next(one.uid_validity for one in folder if one.name == "INBOX")
            uids = f" {set_of(list(belief.flags))}" if told != "modseq" and belief.flags else ""
            pairs = f" ({set_of(list(range(1, len(order) + 1)))} {set_of(order)})" if told == "sample" and order else ""
            known = f" (QRESYNC ({validity} {belief.highest}{uids}{pairs}))"
        else:
            belief.forget()
        self.ask(client, "SELECT INBOX" + known)
        assert len(belief.order) == len(self.inbox.messages)
        assert belief.highest == self.inbox.modseq
        client.selected = True
        if known:  # all it remembers is right, without asking for more; of what it did not name, it asks
            now = {uid: one.flags for uid, one in self.inbox.messages.items()}
            assert belief.flags == (now if told == "modseq" else {uid: now[uid] for uid in belief.flags})
        self.ask(client, "FETCH 1:* (UID FLAGS MODSEQ)")
        assert belief.order == list(self.inbox.messages)
        assert belief.modseqs == {uid: one.modseq for uid, one in self.inbox.messages.items()}

    @rule(number=SESSIONS)
    def noop(self, number: int) -> None:
        client = self.ready(number)
        self.ask(client, "NOOP")
        assert self.agrees(client), (client.belief.__dict__, self.inbox)

    @rule(number=SESSIONS)
    def idle(self, number: int) -> None:
        client = self.ready(number)
        client.belief.hear(self.run(client.connection.ask(b"i IDLE")), True)
        client.idling = True
        self.check_idlers()

    @rule(number=SESSIONS, flags=FLAGS, count=st.integers(1, 2))
    def append(self, number: int, flags: Flags, count: int) -> None:
        client = self.ready(number)
        for _ in range(count):
            lines = self.ask(client, f"APPEND INBOX ({' '.join(flags)}) {{3+}}\r\nabc")
            (uid,) = self.inbox.add([flags])
            assert f" {uid}] APPEND" in lines[-1]
        self.check_idlers()

    @rule(
        number=SESSIONS,
        picks=SOME,
        uid=st.booleans(),
        op=st.sampled_from(["FLAGS", "+FLAGS", "-FLAGS"]),
        flags=FLAGS,
        silent=st.booleans(),
        back=st.none() | st.integers(0, 3),
    )
    @precondition(lambda self: self.inbox.messages)
    def store_flags(
        self, number: int, picks: list[int], uid: bool, op: str, flags: Flags, silent: bool, back: int | None
    ) -> None:
        client = self.ready(number)
        if not client.belief.order:
            return
        text, uids = self.named(client, picks, uid)
        since = None if back is None else max(0, self.inbox.modseq - back)
        spared = self.inbox.store(uids, op, flags, since)
        if silent:  # it knows by itself what it did
            for one in set(uids) & self.inbox.messages.keys() - set(spared):
                client.belief.flags[one] = stored(client.belief.flags[one], op, flags)
        command = "UID STORE" if uid else "STORE"
        condition = "" if since is None else f"(UNCHANGEDSINCE {since}) "
        order = list(client.belief.order)
        lost = [] if uid else [one for one in uids if one not in self.inbox.messages]
        said = f"{command} {text} {condition}{op}{'.SILENT' * silent} ({' '.join(flags)})"
        lines = self.ask(client, said, "NO" if lost and condition else "OK")
        told = re.search(r"\[MODIFIED (\S+)\]", lines[-1])
        spared += lost if condition else []
        expected = sorted(spared if uid else [order.index(one) + 1 for one in spared])
        assert (told[1] if told else "") == _runs(expected)
        self.check_idlers()

    @rule(number=SESSIONS, picks=SOME, uid=st.booleans())
    def fetch(self, number: int, picks: list[int], uid: bool) -> None:
        client = self.ready(number)
        if not client.belief.order:
            return
        text, uids = self.named(client, picks, uid)
        lines = self.ask(client, f"{'UID FETCH' if uid else 'FETCH'} {text} (UID FLAGS MODSEQ)")
        found = {int(match[1]) for line in lines if (match := re.search(r"FETCH \(UID (\d+) FLAGS", line))}
        assert found >= set(uids) & self.inbox.messages.keys()

    @rule(number=SESSIONS, uid=st.booleans())
    def search(self, number: int, uid: bool) -> None:
        client = self.ready(number)
        order, before = list(client.belief.order), dict(client.belief.flags)
        lines = self.ask(client, f"{'UID SEARCH' if uid else 'SEARCH'} DELETED")
        line = next(line for line in lines if line.startswith("* SEARCH"))
        numbers = [int(word) for word in line.split()[2:] if word.isdigit()]
        found = numbers if uid else [order[number - 1] for number in numbers]
        believed = [uid for uid in order if uid is not None and "\\Deleted" in before.get(uid, ())]
        assert found in ([uid for uid in order if uid in self.inbox.deleted()], believed)

    @rule(number=SESSIONS, uid=st.booleans(), order=st.sampled_from(["", "(REVERSE ARRIVAL) UTF-8 "]))
    def watch(self, number: int, uid: bool, order: str) -> None:
        """A result that stays up to date (RFC 5267 4.3)."""
        client = self.ready(number)
        results = client.belief.results
        for tag in list(results)[: len(results) - 2]:
            del results[tag]
            self.ask(client, f'CANCELUPDATE "{tag}"')
        self.ask(client, f"{'UID ' * uid}{'SORT' if order else 'SEARCH'} RETURN (UPDATE ALL) {order}DELETED")

    @rule(number=SESSIONS, picks=st.none() | SOME)
    def expunge(self, number: int, picks: list[int] | None) -> None:
        client = self.ready(number)
        gone = self.inbox.deleted()
        if picks is not None:
            gone = [uid for uid in gone if uid in picks and uid in client.belief.order]
        self.inbox.remove(gone)
        self.ask(client, "EXPUNGE" if picks is None else f"UID EXPUNGE {set_of(picks)}")
        assert self.agrees(client) or picks is not None
        assert not set(gone) & set(client.belief.order)
        self.check_idlers()

    @rule(number=SESSIONS, picks=SOME, uid=st.booleans(), within=st.booleans())
    def copy(self, number: int, picks: list[int], uid: bool, within: bool) -> None:
        self._copied(number, picks, uid, "INBOX" if within else "Archives", move=False)

    @rule(number=SESSIONS, picks=SOME, uid=st.booleans(), within=st.booleans())
    def move(self, number: int, picks: list[int], uid: bool, within: bool) -> None:
        self._copied(number, picks, uid, "INBOX" if within else "Archives", move=True)

    def _copied(self, number: int, picks: list[int], uid: bool, target: str, move: bool) -> None:
        client = self.ready(number)
        if not client.belief.order:
            return
        text, uids = self.named(client, picks, uid)
        here = [one for one in uids if one in self.inbox.messages]
        mailbox = self.inbox if target == "INBOX" else self.other
        made = mailbox.add([self.inbox.messages[one].flags for one in here]) if here else []
        if move:
            self.inbox.remove(here)
        command = ("UID " if uid else "") + ("MOVE" if move else "COPY")
        lines = self.ask(client, f"{command} {text} {target}")
        told = any(line.startswith('* STATUS "Archives"') for line in lines)
        if (
            client.listening and target == "Archives" and made and not told
        ):  # it knows by itself what it did (RFC 5465 5)
            count, _ = client.belief.statuses.get(target, (0, 1))
            client.belief.statuses[target] = count + len(made), made[-1] + 1
        code = next((match for line in lines if (match := re.search(r"\[COPYUID \d+ (\S+) (\S+)\]", line))), None)
        assert (code.groups() if code else ("", "")) == (_runs(here), _runs(made))
        assert not (move and set(here) & set(client.belief.order))
        self.check_idlers()


def _runs(numbers: list[int]) -> str:
    """The shortest set, as the server writes it."""
    runs = [list(group) for _, group in itertools.groupby(numbers, lambda n, c=itertools.count(): n - next(c))]  # type: ignore[misc]
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}:{run[-1]}" for run in runs)


@pytest.mark.parametrize("remembered", [1_000, 1])
@pytest.mark.parametrize(("kind", "examples"), [("memory", 60), ("sqlite", 40), ("postgresql", 25)])
def test_any_sessions(
    kind: str,
    examples: int,
    remembered: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`remembered`: expunges a folder keeps; who comes from before is told by what is left (RFC 7162 3.2.5.2)."""
    monkeypatch.setattr(forgetting, "FEWEST", remembered)
    with asyncio.Runner() as runner:
        close = None
        if kind == "memory":
            store: Any = MemoryMailStore(clock=lambda: DAY)
        else:
            sqlite = f"sqlite:///{tmp_path}/mail.db"
            url = sqlite if kind == "sqlite" else request.getfixturevalue("postgres_url")
            parts = runner.run(sql_parts(url, tmp_path))
            store, close = parts.store, parts.db.close
        made = {"store": store, "run": staticmethod(runner.run), "boxes": itertools.count(1)}
        bounds = settings(
            PATIENT, max_examples=examples, stateful_step_count=25, database=None, phases=[Phase.generate]
        )
        run_state_machine_as_test(type("Machine", (Sessions,), made), settings=bounds)
        if close is not None:
            runner.run(close())
