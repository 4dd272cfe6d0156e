"""Closing an exchange: every row of docs/rules.md section 4, through `accept` and through the mail store."""

from __future__ import annotations

import pytest

from mailserver.delivery.api import Fate
from mailserver.delivery.settle import NO_REPLY
from mailserver.store.names import CLOSED
from mssante.kinds import ClosedMeans, ExchangeState
from tests.mailserver.delivery.conftest import CITIZEN, DOCTOR, PEER, SERVICE, World, mail


async def opened(world: World) -> None:
    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, ident="first"))
    world.now += 60_000


async def closed_means(world: World, contact: str = DOCTOR) -> ClosedMeans | None:
    exchange = await world.exchange(CITIZEN, contact)
    assert exchange is not None
    return exchange.closed_means


@pytest.mark.parametrize("text", ["", " \r\n\u00a0", "-- \r\nDr Martin", "> ancien message"])
async def test_an_empty_fin_is_a_command(world: World, text: str) -> None:
    await opened(world)
    outcome = await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, "[FIN]", text))
    assert outcome.verdicts[0].fate is Fate.CLOSED
    assert len(await world.rows(CITIZEN)) == 1, "obeyed, not delivered"
    exchange = await world.exchange(CITIZEN, DOCTOR)
    assert exchange is not None
    assert (exchange.state, exchange.closed_means) == (ExchangeState.CLOSED, ClosedMeans.COMMAND)
    assert (exchange.closed_by, exchange.closed_at) == ("Dr Claire Martin", world.now)
    [(_, confirm)] = await world.jobs("confirm")
    assert (confirm["to"], confirm["what"], confirm["citizens"]) == (DOCTOR, "command", [CITIZEN])
    refused = await world.send(CITIZEN, DOCTOR, mail(CITIZEN, DOCTOR))
    reason, detail = refused.verdicts[0].reason, refused.verdicts[0].detail
    assert reason is not None
    assert reason.name == "exchange_closed"
    assert detail == {"closed_by": "Dr Claire Martin", "closed_at": str(world.now)}


HTML_ONLY = (
    f"From: <{DOCTOR}>\r\nTo: <{CITIZEN}>\r\nSubject: [FIN]\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n"
)
ALTERNATIVE = (
    f"From: <{DOCTOR}>\r\nTo: <{CITIZEN}>\r\nSubject: [FIN]\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\r\n"
    "--b\r\nContent-Type: text/html\r\n\r\n%s\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    ("content", "fate"),
    [
        (HTML_ONLY + "<p>&nbsp;</p><br>", Fate.CLOSED),
        (HTML_ONLY + "<p>Reprenez le 3 mai</p>", Fate.DELIVERED),
        (HTML_ONLY + '<img src="data:image/png;base64,AAAA">', Fate.DELIVERED),
        (ALTERNATIVE % "<p></p>", Fate.CLOSED),
        (ALTERNATIVE % "<p>Important</p>", Fate.DELIVERED),
    ],
)
async def test_html_is_judged_by_its_text(world: World, content: str, fate: Fate) -> None:
    await opened(world)
    outcome = await world.send(DOCTOR, CITIZEN, content.encode())
    assert outcome.verdicts[0].fate is fate
    exchange = await world.exchange(CITIZEN, DOCTOR)
    assert exchange is not None
    assert exchange.state is ExchangeState.CLOSED


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("[FIN] Votre bilan", b"Subject: Votre bilan\r\n"),
        ("Votre [FIN] bilan", b"Subject: Votre bilan\r\n"),
        ("RE: [FIN]", b"Subject: \r\n"),
        ("=?utf-8?q?[FIN]_R=C3=A9sultats?=", b"Subject: =?utf-8?q?R=C3=A9sultats?=\r\n"),
    ],
)
async def test_fin_with_content_loses_nothing(world: World, subject: str, shown: bytes) -> None:
    await opened(world)
    content = mail(DOCTOR, CITIZEN, subject, "Tout va bien.")
    outcome = await world.send(DOCTOR, [CITIZEN, SERVICE], content)
    assert [one.fate for one in outcome.verdicts] == [Fate.DELIVERED, Fate.DELIVERED]
    stored = await world.last(CITIZEN)
    assert shown in stored
    assert f"X-MSS-Original-Subject: {subject}\r\n".encode() in stored
    assert stored.endswith(b"Tout va bien.\r\n")
    assert f"Subject: {subject}\r\n".encode() in await world.last(SERVICE), "ordinary text for a professional"
    inbox = (await world.folders(CITIZEN))["INBOX"].id
    [(_, card)] = [item async for item in world.space.store.cards(inbox, [2])]
    assert b"[FIN]" not in card.envelope
    assert card.header + b"Tout va bien.\r\n" == stored
    assert await closed_means(world) is ClosedMeans.SUBJECT
    [(_, confirm)] = await world.jobs("confirm")
    assert (confirm["what"], confirm["citizens"]) == ("subject", [CITIZEN])


async def test_the_header_closes_without_a_word(world: World) -> None:
    await opened(world)
    content = mail(DOCTOR, CITIZEN, "Bilan", "Tout va bien.", more=("X-MSS-MES: FIN",))
    assert (await world.send(DOCTOR, CITIZEN, content)).verdicts[0].fate is Fate.DELIVERED
    assert await closed_means(world) is ClosedMeans.HEADER
    assert await world.jobs("confirm") == []


async def test_a_first_message_may_close_and_a_later_one_reopens(world: World) -> None:
    await world.send(PEER, CITIZEN, mail(PEER, CITIZEN, more=("X-MSS-MES: FIN",)))
    assert await closed_means(world, PEER) is ClosedMeans.HEADER
    await world.send(PEER, CITIZEN, mail(PEER, CITIZEN, ident="again"))
    exchange = await world.exchange(CITIZEN, PEER)
    assert exchange is not None
    assert exchange.state is ExchangeState.OPEN


async def test_closing_twice_is_harmless(world: World) -> None:
    await opened(world)
    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, "[FIN]", ""))
    first = await world.exchange(CITIZEN, DOCTOR)
    world.now += 1000
    assert (await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, "[FIN]", ""))).verdicts[0].fate is Fate.CLOSED
    assert await world.exchange(CITIZEN, DOCTOR) == first


async def test_a_no_reply_message_leaves_the_exchange_alone(world: World) -> None:
    await opened(world)
    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, ident="info", more=("X-MSS-MES: NOREPLY",)))
    assert NO_REPLY in (await world.rows(CITIZEN))[-1].flags.keywords
    answer = mail(CITIZEN, DOCTOR, ident="a", more=("In-Reply-To: <info@x.example>",))
    refused = (await world.send(CITIZEN, DOCTOR, answer)).verdicts[0]
    assert refused.reason is not None
    assert refused.reason.name == "no_reply_message"
    earlier = mail(CITIZEN, DOCTOR, ident="b", more=("In-Reply-To: <first@x.example>",))
    assert (await world.send(CITIZEN, DOCTOR, earlier)).verdicts[0].fate is Fate.DELIVERED


@pytest.mark.parametrize("subject", ["[fin]", "[ FIN ] merci"])
async def test_a_near_miss_closes_nothing_and_is_explained(world: World, subject: str) -> None:
    await opened(world)
    assert (await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, subject, ""))).verdicts[0].fate is Fate.DELIVERED
    assert await closed_means(world) is None
    assert [payload["what"] for _, payload in await world.jobs("confirm")] == ["near_miss"]


async def test_fin_is_ordinary_text_elsewhere(world: World) -> None:
    await opened(world)
    assert (await world.send(DOCTOR, SERVICE, mail(DOCTOR, SERVICE, "[FIN]", ""))).verdicts[0].fate is Fate.DELIVERED
    assert (await world.send(CITIZEN, DOCTOR, mail(CITIZEN, DOCTOR, "[FIN]", ""))).verdicts[0].fate is Fate.DELIVERED
    assert b"Subject: [FIN]\r\n" in await world.last(DOCTOR)
    assert await closed_means(world) is None
    assert await world.jobs("confirm") == []


async def test_moving_to_the_closed_folder_closes(world: World) -> None:
    await opened(world)
    await world.send(CITIZEN, DOCTOR, mail(CITIZEN, DOCTOR, ident="q", more=("In-Reply-To: <first@x.example>",)))
    folders = await world.folders(DOCTOR)
    await world.space.store.move(folders["INBOX"].id, [1], folders["Archives"].id)
    assert await closed_means(world) is None
    await world.space.store.move(folders["Archives"].id, [1], folders[CLOSED].id)
    exchange = await world.exchange(CITIZEN, DOCTOR)
    assert exchange is not None
    assert (exchange.closed_means, exchange.closed_by) == (ClosedMeans.FOLDER, "Dr Claire Martin")


async def test_moving_the_own_sent_copy_closes_too(world: World) -> None:
    """The mail client stores its copy of the submitted message; it belongs to the exchange by its Message-ID."""
    from mailserver.store.api import NewMessage

    content = mail(DOCTOR, CITIZEN, ident="first")
    await world.send(DOCTOR, CITIZEN, content)
    folders = await world.folders(DOCTOR)
    [uid] = await world.space.store.append(folders["Envoyés"].id, [NewMessage(content)])
    await world.space.store.move(folders["Envoyés"].id, [uid], folders[CLOSED].id, actor="Secrétariat")
    exchange = await world.exchange(CITIZEN, DOCTOR)
    assert exchange is not None
    assert (exchange.closed_means, exchange.closed_by) == (ClosedMeans.FOLDER, "Secrétariat")
