"""What a dishonest writer of the space may try: to borrow another's name, exchange or From. Each test is one try."""

from __future__ import annotations

from mailserver.delivery.api import Fate
from mailserver.store.api import Flags, NewMessage
from mailserver.store.names import CLOSED
from mssante.kinds import ExchangeState
from tests.mailserver.delivery.conftest import CITIZEN, DOCTOR, PEER, SERVICE, World, mail


def signed(by: str, more: str, text: str = "Texte") -> bytes:
    return f"From: <{by}>\r\n{more}Subject: Bonjour\r\nMessage-ID: <a@x>\r\n\r\n{text}\r\n".encode()


# -------------------------------------------------------------------- From
async def test_no_address_of_from_escapes_the_look(world: World) -> None:
    own = ", ".join([f"<{PEER}>"] * 10)
    content = f"From: {own}, <{DOCTOR}>\r\nSubject: Bonjour\r\n\r\nTexte\r\n".encode()
    outcome = await world.send(PEER, SERVICE, content)
    assert outcome.verdicts[0].fate is Fate.REFUSED
    assert await world.rows(SERVICE) == []


async def test_a_header_too_long_to_be_read_is_refused(world: World) -> None:
    """A second From beyond what is read would be shown by a mail client and judged by nobody."""
    filler = "".join(f"X-Filler-{number}: {'a' * 900}\r\n" for number in range(300))
    outcome = await world.send(PEER, SERVICE, signed(PEER, filler + f"From: <{DOCTOR}>\r\n"))
    assert outcome.verdicts[0].fate is Fate.REFUSED
    assert outcome.verdicts[0].reason is not None
    assert outcome.verdicts[0].reason.name == "header_too_long"


async def test_sender_borrows_no_name_either(world: World) -> None:
    for by in (PEER, SERVICE):  # at the border, at submission
        outcome = await world.send(by, DOCTOR, signed(by, f"Sender: <{DOCTOR}>\r\n"))
        assert outcome.verdicts[0].fate is Fate.REFUSED
        own = await world.send(by, DOCTOR, signed(by, f"Sender: <{by}>\r\n"))
        assert own.verdicts[0].fate is Fate.DELIVERED
    alone = await world.send(PEER, DOCTOR, f"Sender: <{PEER}>\r\n\r\nTexte\r\n".encode())
    assert alone.verdicts[0].fate is Fate.REFUSED


# -------------------------------------------------------------------- Reply-To
async def test_a_reply_to_does_not_rename_a_mailbox_of_ours(world: World) -> None:
    await world.send(PEER, CITIZEN, signed(PEER, f'Reply-To: "Service des impôts" <{DOCTOR}>\r\n'))
    exchange = await world.exchange(CITIZEN, DOCTOR)
    assert exchange is not None
    assert (exchange.contact.name, exchange.contact.profession) == ("Dr Claire Martin", "Médecin généraliste")


async def test_a_reply_to_does_not_take_over_an_exchange_to_close_it(world: World) -> None:
    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, ident="first"))
    await world.send(PEER, CITIZEN, signed(PEER, f"Reply-To: <{DOCTOR}>\r\n"))
    await world.send(PEER, CITIZEN, mail(PEER, CITIZEN, "[FIN]", "", ident="fin"))
    exchange = await world.exchange(CITIZEN, DOCTOR)
    assert exchange is not None
    assert exchange.state is ExchangeState.OPEN


async def test_a_folder_closes_only_ones_own_exchanges(world: World) -> None:
    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, ident="first"))
    content = signed(SERVICE, f"To: <{CITIZEN}>\r\nReply-To: <{DOCTOR}>\r\n")
    await world.send(SERVICE, CITIZEN, content)
    folders = await world.folders(SERVICE)
    [uid] = await world.space.store.append(folders["INBOX"].id, (NewMessage(content, Flags(), 0),))
    await world.space.store.move(folders["INBOX"].id, [uid], folders[CLOSED].id, "Cardiologie")
    exchange = await world.exchange(CITIZEN, DOCTOR)
    assert exchange is not None
    assert exchange.state is ExchangeState.OPEN
