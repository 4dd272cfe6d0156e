"""How fast a peer, an account and a mailbox may be served: the gauge as arithmetic, then what clients hear; time is an argument."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from foundation.clock import HOUR, MINUTE
from mailserver.smtp import ports
from mailserver.smtp.ports import House
from mailserver.smtp.rates import Gauge, Rates
from tests.mailserver.smtp.smtp_house import Memory, Wire, house, shown, wire

START = 1_800_000_000_000
MANY = 1_000_000


# ---------------------------------------------------------------- the gauge
def test_a_full_store_then_one_turn_at_a_time() -> None:
    gauge = Gauge(3, MINUTE)
    assert [gauge.take("a", START) for _ in range(5)] == [0, 0, 0, 20_000, 20_000]
    assert gauge.take("b", START) == 0
    assert gauge.take("a", START + 19_999) == 1
    assert gauge.take("a", START + 20_000) == 0
    assert gauge.take("a", START + 20_000) == 20_000
    assert [gauge.take("a", START + 5 * MINUTE) for _ in range(4)] == [0, 0, 0, 20_000]


@given(
    st.integers(1, 9),
    st.integers(1, 1_000),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 700)), max_size=120),
)
def test_as_a_store_of_turns(count: int, span: int, events: list[tuple[int, int]]) -> None:
    """Against the plain picture: a store for each key, `count` turns when full, one more every `span / count`."""
    gauge, now = Gauge(count, span), START
    stores: dict[int, tuple[int, int]] = {}  # parts of a turn (`span` each), moment
    for key, step in events:
        now += step
        parts, since = stores.get(key, (count * span, now))
        parts = min(count * span, parts + (now - since) * count)
        wait = gauge.take(key, now)
        assert (wait == 0) == (parts >= span)
        if wait:
            assert parts + wait * count >= span > parts + (wait - 1) * count, "no sooner, no later"
        stores[key] = (parts - span if wait == 0 else parts, now)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 90)), max_size=300))
def test_memory_is_bounded_and_the_busiest_are_remembered(events: list[tuple[int, int]]) -> None:
    gauge, now = Gauge(2, 1_000, keys=10), START
    for key, step in events:
        now += step
        gauge.take(f"key {key}", now)
        assert len(gauge) <= 10
    for _ in range(2):
        gauge.take("busy", now)
    for key in range(500, 508):
        gauge.take(key, now)
    assert gauge.take("busy", now) > 0


def test_to_look_takes_no_turn() -> None:
    gauge = Gauge(1, MINUTE)
    assert [gauge.wait("a", START) for _ in range(3)] == [0, 0, 0]
    assert len(gauge) == 0
    assert gauge.take("a", START) == 0
    assert gauge.wait("a", START) == gauge.take("a", START) == MINUTE


def test_no_key_stays_in_memory() -> None:
    gauge = Gauge(2, MINUTE)
    gauge.take("279035121518989@patient.example", START)
    assert all(isinstance(one, int) for pair in gauge._full_at.items() for one in pair)


# ---------------------------------------------------------------- what clients hear
class Time:
    now = START

    def __call__(self) -> int:
        return self.now


def made(
    folder: Path,
    time: Time,
    peer: int = MANY,
    account: int = MANY,
    recipient: int = MANY,
    pair: int = MANY,
    peer_pair: int = MANY,
) -> House:
    hourly = (Gauge(count, HOUR) for count in (account, recipient, pair, peer_pair))
    rates = Rates(Gauge(peer, MINUTE), *hourly)
    return house(folder, Memory(), clock=time, rates=rates)


async def operator(home: House, peer: str = "beta") -> Wire:
    connection = wire(ports.MX, replace(home, judge_peer=shown(peer)))
    await connection.send(b"EHLO mail.example\r\nSTARTTLS\r\n")
    await connection.send(b"EHLO mail.example\r\n")
    return connection


async def user(home: House, rules: Any = ports.SUBMISSIONS) -> Wire:
    connection = wire(rules, home)
    if rules is ports.SUBMISSION:
        await connection.send(b"EHLO c\r\nSTARTTLS\r\n")
    await connection.send(b"EHLO c\r\nAUTH PLAIN AGNhbWlsbGUAY2Fmw6ktYXUtbGFpdA==\r\n")
    await connection.send(b"MAIL FROM:<camille.roche@alpha.example>\r\n")
    return connection


async def codes(connection: Wire, commands: bytes) -> list[str]:
    said = (await connection.send(commands)).decode().splitlines()
    return [line[:9] for line in said if line[3] == " "]


async def message(connection: Wire) -> None:
    await connection.send(b"DATA\r\n")
    assert await codes(connection, b"x\r\n.\r\n") == ["250 2.0.0"]


ONE = b"MAIL FROM:<a@beta.example>\r\nRSET\r\n"


async def test_an_operator_is_put_off_by_the_name_of_its_certificate(tmp_path: Path) -> None:
    time = Time()
    home = made(tmp_path, time, peer=2)
    first, second = await operator(home), await operator(home)
    assert await codes(first, ONE * 2) == ["250 2.1.0", "250 2.0.0"] * 2
    said = (await second.send(b"MAIL FROM:<>\r\n")).decode()
    assert said.splitlines() == [
        "450-4.7.1 Your server sends too many messages in a short time. Try again in 1 min.",
        "450 4.7.1 Votre serveur envoie trop de messages en peu de temps. Reessayez dans 1 min.",
    ]
    assert await codes(second, b"RCPT TO:<b@alpha.example>\r\n") == ["503 5.5.1"]
    time.now += MINUTE // 2
    assert await codes(second, ONE) == ["250 2.1.0", "250 2.0.0"]
    assert await codes(first, b"MAIL FROM:<>\r\n") == ["450 4.7.1"]


async def test_who_is_not_trusted_takes_no_turn_from_who_is(tmp_path: Path) -> None:
    home = made(tmp_path, Time(), peer=1)
    stranger = await operator(home, "expired")
    assert await codes(stranger, b"MAIL FROM:<a@beta.example>\r\n" * 3) == ["550 5.7.1"] * 3
    other = await operator(home)
    assert await codes(other, b"MAIL FROM:<a@gamma.example>\r\n" * 3) == ["550 5.7.1"] * 3
    assert await codes(other, b"MAIL FROM:<a@beta.example>\r\n") == ["250 2.1.0"]


async def test_an_account_is_counted_by_its_recipients_at_both_doors(tmp_path: Path) -> None:
    time = Time()
    home = made(tmp_path, time, account=3)
    at_587, at_465 = await user(home, ports.SUBMISSION), await user(home)
    assert await codes(at_587, b"RCPT TO:<b@beta.example>\r\nRCPT TO:<unknown@alpha.example>\r\n") == [
        "250 2.1.5",
        "550 5.1.1",
    ]
    assert await codes(at_465, b"RCPT TO:<c@beta.example>\r\n") == ["250 2.1.5"]
    said = (await at_465.send(b"RCPT TO:<d@beta.example>\r\n")).decode()
    assert said.splitlines()[0] == (
        "450-4.7.1 You write to too many recipients in a short time. Send again to this one in 20 min."
    )
    assert await codes(at_465, b"DATA\r\n") == ["354 End d"]
    assert await codes(at_465, b"x\r\n.\r\n") == ["250 2.0.0"]
    acceptor = home.acceptor
    assert isinstance(acceptor, Memory)
    assert [[to.address for to in envelope.recipients] for envelope, _ in acceptor.accepted] == [["c@beta.example"]]
    time.now += 20 * MINUTE
    assert await codes(at_587, b"RCPT TO:<d@beta.example>\r\nRCPT TO:<e@beta.example>\r\n") == [
        "250 2.1.5",
        "450 4.7.1",
    ]


async def test_a_mailbox_is_protected_from_all_together(tmp_path: Path) -> None:
    time = Time()
    home = made(tmp_path, time, recipient=2)
    peer, colleague = await operator(home), await user(home)
    await peer.send(b"MAIL FROM:<a@beta.example>\r\n")
    assert await codes(peer, b"RCPT TO:<b@alpha.example>\r\n" * 5) == ["250 2.1.5"] * 5, "naming it takes no turn"
    await message(peer)
    assert await codes(colleague, b"RCPT TO:<B@ALPHA.example>\r\n") == ["250 2.1.5"]
    await message(colleague)
    await peer.send(b"MAIL FROM:<a@beta.example>\r\n")
    said = (await peer.send(b"RCPT TO:<b@alpha.example>\r\n")).decode()
    assert said.splitlines()[0] == (
        "450-4.2.1 This recipient gets too many messages in a short time. Try again in 30 min."
    )
    assert await codes(peer, b"RCPT TO:<other@alpha.example>\r\n") == ["250 2.1.5"]
    time.now += 30 * MINUTE
    assert await codes(peer, b"RCPT TO:<b@alpha.example>\r\n") == ["250 2.1.5"]
    await message(peer)
    await peer.send(b"MAIL FROM:<a@beta.example>\r\n")
    assert await codes(peer, b"RCPT TO:<b@alpha.example>\r\n") == ["450 4.2.1"]


async def written(connection: Wire, sender: bytes, to: bytes = b"b@alpha.example") -> str:
    """The answer to RCPT; the message follows when it is taken."""
    await connection.send(b"RSET\r\nMAIL FROM:<%b>\r\n" % sender)
    said = (await connection.send(b"RCPT TO:<%b>\r\n" % to)).decode().splitlines()[0]
    if said.startswith("250"):
        await message(connection)
    return said


async def test_one_sender_keeps_nobody_from_a_mailbox(tmp_path: Path) -> None:
    time = Time()
    home = made(tmp_path, time, recipient=6, pair=2)
    peer, other, colleague = await operator(home), await operator(home), await user(home)
    camille = b"camille.roche@alpha.example"
    assert [(await written(peer, b"a@beta.example"))[:9] for _ in range(2)] == ["250 2.1.5"] * 2
    assert await written(other, b"A@beta.example", b"B@alpha.example") == (
        "450-4.7.1 You, or your operator, write to this recipient too often in a short time. Try again in 30 min."
    )
    assert (await written(peer, b"a@beta.example", b"c@alpha.example"))[:9] == "250 2.1.5", "to another one"
    assert (await written(peer, b"b@beta.example"))[:9] == "250 2.1.5", "from another one"
    assert [(await written(colleague, camille))[:9] for _ in range(3)] == ["250 2.1.5", "250 2.1.5", "450-4.7.1"]
    assert (await written(peer, b""))[:9] == "250 2.1.5", "notices are nobody's"
    assert (await written(peer, b"c@beta.example"))[:9] == "450-4.2.1", "six in all"
    time.now += 30 * MINUTE
    assert (await written(peer, b"a@beta.example"))[:9] == "250 2.1.5"


async def test_an_operator_gets_no_more_turns_by_other_reverse_paths(tmp_path: Path) -> None:
    """It is known by its certificate: senders, domains, notices, connections, all are its own. Others keep their turns."""
    time = Time()
    home = made(tmp_path, time, peer_pair=3)
    first, second, colleague = await operator(home), await operator(home), await user(home)
    said = [
        await written(one, path)
        for one, path in ((first, b"a@beta.example"), (second, b"b@beta.example"), (first, b""))
    ]
    assert [line[:9] for line in said] == ["250 2.1.5"] * 3
    for connection, path in ((first, b"c@beta.example"), (second, b""), (second, b"D@BETA.example")):
        assert await written(connection, path, b"B@alpha.example") == (
            "450-4.7.1 You, or your operator, write to this recipient too often in a short time. Try again in 20 min."
        )
    assert (await written(first, b"c@beta.example", b"c@alpha.example"))[:9] == "250 2.1.5", "to another one"
    assert (await written(colleague, b"camille.roche@alpha.example"))[:9] == "250 2.1.5", "from our own"
    time.now += 20 * MINUTE
    assert (await written(first, b"e@beta.example"))[:9] == "250 2.1.5"
    assert (await written(second, b"f@beta.example"))[:9] == "450-4.7.1"


async def test_who_only_names_it_takes_no_turn_of_the_pair(tmp_path: Path) -> None:
    home = made(tmp_path, Time(), pair=1)
    peer = await operator(home)
    await peer.send(b"MAIL FROM:<a@beta.example>\r\n")
    assert await codes(peer, b"RCPT TO:<b@alpha.example>\r\n" * 3) == ["250 2.1.5"] * 3
    assert len(home.rates.pair) == len(home.rates.peer_pair) == 0


async def test_unknown_addresses_fill_no_memory(tmp_path: Path) -> None:
    home = made(tmp_path, Time())
    peer = await operator(home)
    await peer.send(b"MAIL FROM:<a@beta.example>\r\n")
    assert await codes(peer, b"RCPT TO:<unknown@alpha.example>\r\n" * 50) == ["550 5.1.1"] * 50
    assert len(home.rates.recipient) == 0


async def test_the_bench_is_not_slowed(tmp_path: Path) -> None:
    home = made(tmp_path, Time(), peer=1, account=1, recipient=1, pair=1)
    connection = wire(ports.BENCH, home)
    await connection.send(b"EHLO c\r\n")
    for _ in range(3):
        said = await codes(connection, b"MAIL FROM:<a@beta.example>\r\nRCPT TO:<b@alpha.example>\r\nRSET\r\n")
        assert said == ["250 2.1.0", "250 2.1.5", "250 2.0.0"]
