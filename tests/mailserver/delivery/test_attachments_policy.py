"""The policy of attachments at each door: what is refused, with words; what is delivered with a warning; what passes."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from binascii import b2a_uu
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from foundation.blobs import BlobRef
from foundation.tally import sums
from mailserver.contents.kinds import Found, Kind, unreadable
from mailserver.contents.opening import Opened, Opener, Shut
from mailserver.delivery.accept import Delivery
from mailserver.delivery.api import Door, Outcome, Sender, Terms
from mailserver.delivery.attachments import (
    MOST,
    NO_POLICY,
    WARNING,
    Action,
    Judged,
    Policies,
    Policy,
    Warned,
    warned_of,
    without_warning,
)
from mailserver.delivery.release import Release
from mailserver.mime import scan
from mssante.kinds import BoxKind
from runtime.attachment_settings import Attachments, AttachmentsSent, policies_of
from tests.mailserver.contents.compound_writer import attached, compound
from tests.mailserver.contents.compound_writer import letter as outlooks
from tests.mailserver.contents.test_kinds import EXE, archive, encrypted, tape
from tests.mailserver.contents.tnef_writer import outlook
from tests.mailserver.contents.writers import arj
from tests.mailserver.delivery.conftest import CITIZEN, DOCTOR, PEER, SERVICE, World, mail

PDF, PASSWORD = b"%PDF-1.7", encrypted({"cr.pdf": b"%PDF"})


def letter(
    sender: str, to: str, attached: Sequence[tuple[bytes, str]], inside: bool = False, ident: str = "a"
) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"], message["Message-ID"] = sender, to, "CR", f"<{ident}@x.example>"
    message.set_content("Bonjour.")
    for content, name in attached:
        message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    if inside:
        outer = EmailMessage()
        outer["From"], outer["To"], outer["Subject"] = sender, to, "TR: CR"
        outer.set_content("Voici.")
        outer.add_attachment(message)
        message = outer
    return message.as_bytes(policy=policy.SMTP)


@pytest.fixture
def guarded(world: World) -> World:
    """The default policy."""
    return under(world, policies_of(Attachments(), AttachmentsSent()))


@pytest.fixture
async def opening(guarded: World) -> AsyncIterator[World]:
    """The same, archives opened."""
    opener = Opener(workers=1, seconds=60.0)
    space = replace(guarded.space, opener=opener)
    yield replace(guarded, space=space, delivery=Delivery(space))
    await opener.close()


@pytest.mark.parametrize(
    ("attached", "answer", "warned"),
    [
        (archive({"a.zip": archive({"b.pdf": PDF})}), "delivered", None),
        (archive({"a.zip": archive({"b.pdf": EXE})}), "attachment_refused", None),
        (archive({"a.zip": PASSWORD}), "delivered", "encrypted; part=3"),
        (tape({"b.pdf": PDF}, "w:gz"), "delivered", None),
        (tape({"b.pdf": EXE}, "w:gz"), "attachment_refused", None),
        (outlook(b"b.pdf", EXE), "attachment_refused", None),
        (compound(outlooks(attached(PDF, "cr.pdf"))), "delivered", None),
        (compound(outlooks(attached(EXE, "cr.pdf"))), "attachment_refused", None),
        (compound({"EncryptedPackage": b"x"}), "delivered", "encrypted; part=3"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(60), "delivered", "unreadable; part=3"),
    ],
    ids=range(10),
)
@pytest.mark.parametrize("padding", [0, 200_000], ids=["small", "heavy"])
async def test_what_only_opening_shows(
    opening: World, attached: bytes, answer: str, warned: str | None, padding: int
) -> None:
    content = letter(PEER, DOCTOR, [(PDF + bytes(padding), "a.pdf"), (attached, "b.bin")])
    assert answers(await opening.send(PEER, DOCTOR, content)) == [answer]
    if answer == "delivered":
        assert await warning(opening, DOCTOR) == warned


async def test_what_ends_its_process_is_judged_by_what_is_seen_from_outside(
    opening: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that makes a reader fall is not better off for it."""

    async def fallen(files: Sequence[Shut], whose: object) -> Opened:
        return {(one.section, one.scripts): [unreadable("archive")] for one in files}

    monkeypatch.setattr(opening.space.opener, "open", fallen)
    inside = archive({"b.exe": EXE, "a.7z": b"7z\xbc\xaf\x27\x1c"})
    assert answers(await opening.send(PEER, DOCTOR, letter(PEER, DOCTOR, [(inside, "a.zip")]))) == [
        "attachment_refused"
    ]
    assert answers(await opening.send(PEER, DOCTOR, letter(PEER, DOCTOR, [(b"MSCF", "a.js")]))) == [
        "attachment_refused"
    ]


@pytest.mark.parametrize("name", ["cr.arj", "cr.pdf"])
async def test_what_nobody_here_opens_is_told_to_who_receives_and_to_who_sends(opening: World, name: str) -> None:
    """A program in it is never delivered without a word."""
    octets = letter(PEER, DOCTOR, [(arj({"b.exe": EXE}), name)])
    assert answers(await opening.send(PEER, DOCTOR, octets)) == ["delivered"]
    assert await warning(opening, DOCTOR) == "unreadable; part=2"
    strict = ruled(opening, Policy({Kind.UNREADABLE: Action.REFUSE}), NO_POLICY)
    [verdict] = (await strict.send(PEER, DOCTOR, octets)).verdicts
    assert verdict.reason is not None
    said = verdict.reason.in_french(verdict.detail), verdict.reason.in_english(verdict.detail)
    assert all("(ARJ illisible / unreadable ARJ)" in sentence for sentence in said)


async def test_who_waits_for_an_archive_keeps_nobody_from_being_read(
    opening: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailserver.delivery.accept.LARGE", 0)
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(files: Sequence[Shut], whose: object) -> Opened:
        asked.set()
        await go_on.wait()
        return {(one.section, one.scripts): [] for one in files}

    monkeypatch.setattr(opening.space.opener, "open", slow)
    waiting = asyncio.ensure_future(
        opening.send(PEER, DOCTOR, letter(PEER, DOCTOR, [(tape({"b": PDF}, "w:gz"), "b.gz")]))
    )
    async with asyncio.timeout(60):
        await asked.wait()
        assert answers(await opening.send(PEER, DOCTOR, letter(PEER, DOCTOR, [(PDF, "a.pdf")], ident="b"))) == [
            "delivered"
        ]
        assert not waiting.done()
        go_on.set()
        assert answers(await waiting) == ["delivered"]


def ruled(world: World, received: Policy, sent: Policy) -> World:
    """The same for all types of mailboxes."""
    return under(world, Policies(dict.fromkeys(BoxKind, received), dict.fromkeys(BoxKind, sent)))


def under(world: World, policies: Policies) -> World:
    space = replace(world.space, attachments=policies)
    return replace(world, space=space, delivery=Delivery(space))


def answers(outcome: Outcome) -> list[str]:
    return [verdict.reason.name if verdict.reason else verdict.fate.value for verdict in outcome.verdicts]


@pytest.mark.parametrize(
    ("attached", "answer", "warning"),
    [
        ([(PDF, "cr.pdf")], "delivered", None),
        ([(EXE, "cr.pdf")], "attachment_refused", None),
        ([(PDF, "cr.pdf"), (archive({"cr.pdf": EXE}), "cr.zip")], "attachment_refused", None),
        ([(b"x()", "cr.js")], "attachment_refused", None),
        ([(b"GIF89a=1;x()", "cr.js")], "attachment_refused", None),
        ([(b"GIF89a\x01\x00", "cr.gif")], "delivered", None),
        ([(b"%PDF-" + bytes(32_764) + b"CD001", "cr.iso")], "attachment_refused", None),
        ([(bytes(32_769) + b"CD001", "cr.bin")], "attachment_refused", None),
        ([(PASSWORD, "cr.zip")], "delivered", "encrypted; part=2"),
        (
            [(archive({"word/vbaProject.bin": b""}), "cr.docm"), (PASSWORD, "cr.zip")],
            "delivered",
            "macros; part=2, encrypted; part=3",
        ),
        ([(PASSWORD, "cr.zip"), (EXE, "a")], "attachment_refused", None),
        ([(b"<html onload=x()>", "cr.html")], "delivered", "active_page; part=2"),
        ([(PDF + b"<</S/Launch>>", "cr.pdf")], "attachment_refused", None),
        ([(b"Rar!\x1a\x07", "cr.rar")], "delivered", None),
        ([(b"%PDF-1.7\nRar!\x1a\x07", "cr.rar")], "delivered", "unreadable; part=2"),
    ],
)
async def test_by_default(
    guarded: World, attached: Sequence[tuple[bytes, str]], answer: str, warning: str | None
) -> None:
    for sender, to in ((PEER, DOCTOR), (DOCTOR, SERVICE)):
        outcome = await guarded.send(sender, to, letter(sender, to, attached))
        assert answers(outcome) == [answer], sender
        if answer == "delivered":
            message = message_from_bytes(await guarded.last(to), policy=policy.default)
            assert message[WARNING] == warning
            assert message["Subject"] == "CR"


async def test_the_refusal_names_the_type_and_not_the_file(guarded: World) -> None:
    outcome = await guarded.send(PEER, [DOCTOR, SERVICE], letter(PEER, DOCTOR, [(EXE, "Jacqueline-MOREL.pdf")]))
    assert answers(outcome) == ["attachment_refused"] * 2
    verdict = outcome.verdicts[0]
    assert verdict.reason is not None
    assert (verdict.reason.code, verdict.reason.enhanced) == (550, "5.7.1")
    said = verdict.reason.in_french(verdict.detail) + verdict.reason.in_english(verdict.detail)
    assert said.count("(Windows EXE)") == 2
    assert "MOREL" not in said
    assert await guarded.rows(DOCTOR) == []


async def test_a_forwarded_message_hides_nothing(guarded: World) -> None:
    outcome = await guarded.send(PEER, DOCTOR, letter(PEER, DOCTOR, [(EXE, "cr.pdf")], inside=True))
    assert answers(outcome) == ["attachment_refused"]


BARRED = Policy({Kind.EXECUTABLE: Action.REFUSE})


@pytest.mark.parametrize(
    ("received", "sent", "from_peer", "between", "to_peer"),
    [
        (BARRED, NO_POLICY, "attachment_refused", "attachment_refused", "relayed"),
        (NO_POLICY, BARRED, "delivered", "attachment_refused", "attachment_refused"),
        (NO_POLICY, NO_POLICY, "delivered", "delivered", "relayed"),
    ],
    ids=["received", "sent", "neither"],
)
async def test_each_direction_has_its_own_table(
    world: World, received: Policy, sent: Policy, from_peer: str, between: str, to_peer: str
) -> None:
    """Between two mailboxes of ours both hold."""
    mixed = ruled(world, received, sent)
    for sender, to, answer in ((PEER, DOCTOR, from_peer), (DOCTOR, CITIZEN, between), (DOCTOR, PEER, to_peer)):
        assert answers(await mixed.send(sender, to, letter(sender, to, [(EXE, "a")]))) == [answer]


DEFAULTS = [  # type, what it receives, what it sends: warned of, refused beside programs, scripts and disc images
    ("PER", "macros active_page encrypted unreadable", "", "macros active_page encrypted unreadable", ""),
    ("CAB", "macros active_page encrypted unreadable", "", "macros active_page encrypted unreadable", ""),
    ("ORG", "macros active_page encrypted unreadable", "", "macros active_page encrypted unreadable", ""),
    ("APP", "active_page", "macros encrypted unreadable", "macros active_page encrypted unreadable", ""),
    ("CIT", "active_page encrypted unreadable", "macros", "active_page encrypted unreadable", "macros"),
]


@pytest.mark.parametrize(("kind", "warned", "refused", "sent_warned", "sent_refused"), DEFAULTS)
def test_the_defaults_of_each_type(kind: str, warned: str, refused: str, sent_warned: str, sent_refused: str) -> None:
    policies = policies_of(Attachments(), AttachmentsSent())
    runs = {"executable", "script", "disk_image"}

    def named(table: Policy, action: Action) -> set[str]:
        return {each.value for each, done in table.actions.items() if done is action}

    received, sent = policies.received[BoxKind(kind)], policies.sent[BoxKind(kind)]
    assert named(received, Action.WARN) == set(warned.split())
    assert named(received, Action.REFUSE) == {*refused.split(), *runs}
    assert named(sent, Action.WARN) == set(sent_warned.split())
    assert named(sent, Action.REFUSE) == {*sent_refused.split(), *runs}


MACROS = archive({"word/vbaProject.bin": b""})
# section, kind, sender -> recipients: answers, and the warning that the first one reads
BY_TYPE: list[tuple[str, bytes, str, list[str], list[str], str | None]] = [
    ("", MACROS, PEER, [DOCTOR], ["delivered"], "macros; part=2"),
    ("", MACROS, DOCTOR, [CITIZEN], ["attachment_refused"], None),
    ("", PASSWORD, DOCTOR, [CITIZEN], ["delivered"], "encrypted; part=2"),
    ("", MACROS, DOCTOR, [SERVICE, CITIZEN], ["delivered", "attachment_refused"], "macros; part=2"),
    ("received.org", MACROS, PEER, [DOCTOR, SERVICE], ["delivered", "attachment_refused"], "macros; part=2"),
    ("received.per", MACROS, PEER, [SERVICE, DOCTOR], ["delivered", "attachment_refused"], "macros; part=2"),
    ("sent.per", MACROS, DOCTOR, [SERVICE, PEER], ["attachment_refused"] * 2, None),
    ("sent.org", MACROS, DOCTOR, [SERVICE], ["delivered"], "macros; part=2"),
    ("sent.org", MACROS, SERVICE, [DOCTOR, PEER], ["attachment_refused"] * 2, None),
]


@pytest.mark.parametrize(("section", "content", "sender", "to", "expected", "warned"), BY_TYPE)
async def test_each_type_of_mailbox_may_have_its_own(
    world: World, section: str, content: bytes, sender: str, to: list[str], expected: list[str], warned: str | None
) -> None:
    direction, _, kind = section.partition(".")
    strict: dict[str, object] = {kind: {"macros": "refuse"}}
    received = Attachments.model_validate(strict if direction == "received" else {})
    sent = AttachmentsSent.model_validate(strict if direction == "sent" else {})
    typed = under(world, policies_of(received, sent))
    assert answers(await typed.send(sender, to, letter(sender, to[0], [(content, "cr.zip")]))) == expected
    if expected[0] == "delivered":
        assert await warning(typed, to[0]) == warned


async def test_only_who_is_warned_reads_the_warning(world: World) -> None:
    table = Attachments.model_validate({"per": {"encrypted": "accept"}, "org": {"other_archive": "warn"}})
    typed = under(world, policies_of(table, AttachmentsSent()))
    attached = [(PASSWORD, "cr.zip"), (b"\x1f\x8b", "cr.gz")]
    outcome = await typed.send(PEER, [DOCTOR, SERVICE], letter(PEER, DOCTOR, attached))
    assert answers(outcome) == ["delivered"] * 2
    assert (await warning(typed, DOCTOR), await warning(typed, SERVICE)) == (
        None,
        "encrypted; part=2, other_archive; part=3",
    )
    for to in (DOCTOR, SERVICE):
        message = message_from_bytes(await typed.last(to), policy=policy.default)
        assert [part.get_content() for part in message.iter_attachments()] == [content for content, _ in attached]


def test_the_warning_reads_as_it_was_written() -> None:
    """Folded; of very many parts only the kinds are left; nothing of it is believed but kinds and sections."""
    judge = Policy({Kind.MACROS: Action.WARN, Kind.ENCRYPTED: Action.WARN}).judge
    found = [("2", Found(Kind.MACROS, "x")), ("2", Found(Kind.ENCRYPTED, "x")), ("3.1", Found(Kind.MACROS, "x"))]
    header = Judged(sent=judge(found)).warning(None)
    assert header == (b"X-MSSante-Attachment-Warning: macros; part=2,\r\n encrypted; part=2,\r\n macros; part=3.1\r\n")
    assert warned_of(scan(header + b"\r\nx")) == [
        Warned(Kind.MACROS, "2"),
        Warned(Kind.ENCRYPTED, "2"),
        Warned(Kind.MACROS, "3.1"),
    ]
    assert without_warning(header + b"Subject: x\r\n\r\n") == b"Subject: x\r\n\r\n"
    many = [(str(number), Found(Kind.MACROS, "x")) for number in range(MOST + 1)]
    assert Judged(sent=judge(many)).warning(None) == b"X-MSSante-Attachment-Warning: macros\r\n"
    assert warned_of(scan(WARNING.encode() + b": macrosse, <b>macros</b>; part=<x>\r\n\r\n")) == [Warned(Kind.MACROS)]


async def test_a_message_that_is_held_is_judged_when_it_comes_and_at_its_hour(world: World) -> None:
    """Whom its table bars is told at once; the others read its warning, once."""
    guarded = under(world, policies_of(Attachments(), AttachmentsSent()))
    guarded.space.jobs.handle("held", Release(guarded.space, guarded.delivery))
    later = Terms(hold_until=world.now + 60_000)
    to = [SERVICE, CITIZEN]
    outcome = await guarded.send(DOCTOR, to, letter(DOCTOR, SERVICE, [(MACROS, "cr.docm")]), terms=later)
    assert answers(outcome) == ["held", "attachment_refused"]
    assert await guarded.rows(SERVICE) == []
    world.now += 60_000
    await guarded.space.jobs.drain()
    octets = await guarded.last(SERVICE)
    assert octets.count(b"X-MSSante-Attachment-Warning: macros; part=2\r\n") == 1


async def test_what_goes_to_another_operator_bears_the_warning_once(guarded: World) -> None:
    later = Terms(hold_until=guarded.now + 60_000)
    for number, terms in enumerate((Terms(), later)):
        content = letter(DOCTOR, PEER, [(PASSWORD, "cr.zip")], ident=f"w{number}")
        outcome = await guarded.send(DOCTOR, PEER, content, terms=terms)
        assert answers(outcome) == ["held" if terms.hold_until else "relayed"]
    kept = [payload["blob"] for _, payload in await guarded.jobs("relay", "held")]
    for name, key, size in kept:
        ref = BlobRef(name, bytes.fromhex(key), size)
        octets = await guarded.space.db.read(guarded.space.blobs.read, ref, 0, size)
        assert octets.startswith(b"X-MSSante-Attachment-Warning: encrypted; part=2\r\n")
        assert octets.count(b"Attachment-Warning") == 1


async def test_our_own_notices_and_plain_messages_are_not_looked_at(guarded: World) -> None:
    notice = letter("postmaster@cabinet.example", DOCTOR, [(EXE, "a")])
    outcome = await guarded.send("", DOCTOR, notice, who=Sender(Door.SYSTEM))
    assert answers(outcome) == ["delivered"]
    assert answers(await guarded.send(PEER, DOCTOR, mail(PEER, DOCTOR, text="MZ"))) == ["delivered"]


async def test_it_is_counted_by_kind(guarded: World) -> None:
    for files in ([(EXE, "a")], [(PASSWORD, "b")], [(PDF, "c")]):
        await guarded.send(PEER, DOCTOR, letter(PEER, DOCTOR, files))
    await guarded.send(DOCTOR, [SERVICE, CITIZEN], letter(DOCTOR, SERVICE, [(MACROS, "d")]))
    await guarded.space.tally.pour(guarded.space.db, guarded.now)
    counted = {(name, label): count for (name, label), count in (await guarded.space.db.read(sums)).items()}
    assert {label: count for (name, label), count in counted.items() if name == "attachments"} == {
        "executable refused": 1,
        "encrypted warned": 1,
        "macros warned": 1,
        "macros refused": 1,
    }


@pytest.mark.parametrize(
    ("content", "name"), [(EXE, "cr.pdf"), (bytes(32_769) + b"CD001" + bytes(100), "cr.pdf")], ids=["program", "image"]
)
@pytest.mark.parametrize("wide", [2, 60], ids=["short lines", "lines"])
async def test_no_blank_lines_of_base64_hide_a_file(guarded: World, content: bytes, name: str, wide: int) -> None:
    """RFC 2045 6.8: line ends and other signs say nothing, however many there are."""
    text = b64encode(content).decode()
    body = "\r\n" * 40_000 + "\r\n".join(text[at : at + wide] for at in range(0, len(text), wide))
    octets = (
        f"From: {DOCTOR}\r\nTo: {CITIZEN}\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf; name={name}\r\n"
        f"Content-Disposition: attachment; filename={name}\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n"
    )
    assert answers(await guarded.send(DOCTOR, CITIZEN, octets.encode())) == ["attachment_refused"]


def uu(name: bytes, content: bytes) -> bytes:
    lines = [b2a_uu(content[at : at + 45]).replace(b"\n", b"\r\n") for at in range(0, len(content), 45)]
    return b"begin 644 %b\r\n%b`\r\nend\r\n" % (name, b"".join(lines))


def part(head: bytes, body: bytes) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n%b\r\n\r\n%b\r\n--b--\r\n" % (head, body)


OCTETS = b"Content-Type: application/octet-stream"
LETTER = part(OCTETS + b"; name=b.exe", EXE)
FORWARDED = part(OCTETS + b"; name=a.eml", LETTER)
NAMED = OCTETS + b"\r\nContent-Disposition: attachment; "
BASE64 = b"Content-Transfer-Encoding: base64"
REFUSED, DOUBTFUL = ["attachment_refused"], "unreadable; part=1"


@pytest.mark.parametrize(
    ("hiding", "expected"),
    [
        (b"Content-Type: text/plain\r\n\r\nBonjour.\r\n\r\n" + uu(b"b.exe", EXE), REFUSED),
        (b"Content-Type: text/plain\r\n\r\n" + uu(b"b.js", b"x()"), REFUSED),
        (part(OCTETS + b"; name=a.eml", LETTER), REFUSED),
        (part(OCTETS + b"; name=a.eml\r\nContent-Transfer-Encoding: base64", b64encode(FORWARDED)), REFUSED),
        (part(OCTETS + b"; name=a.js\r\nContent-Disposition: attachment; filename=a.txt", b"x()"), REFUSED),
        (part(OCTETS + b"\r\nContent-Disposition: attachment; filename=a.txt; filename=a.js", b"x()"), REFUSED),
        (part(OCTETS + b"\r\nContent-Disposition: attachment; filename=a.js; filename*=utf-8''a.txt", b"x()"), REFUSED),
        (part(NAMED + b"filename*=utf-8''a.js%00.pdf", b"x()"), REFUSED),
        (part(NAMED + b"filename*2=s; filename*1=a.j", b"x()"), REFUSED),
        (part(NAMED + b'filename="a=?utf-8?Q?=2Ejs?="', b"x()"), REFUSED),
        (part(NAMED + b'filename="../../a.js/"', b"x()"), REFUSED),
        (part(NAMED + b"filename=\"a\xe2\x80\xaefdp.js . \"", b"x()"), REFUSED),
        (part(NAMED + b"name=a.js", b"x()"), REFUSED),
        (part(OCTETS + b"; name=a.zip\r\n" + NAMED.partition(b"\r\n")[2] + b"filename=a.txt\r\n" + BASE64,
              b64encode(b"x" + archive({"b": EXE}))), REFUSED),
        (part(b"Content-Type: application/hta", b"x()"), REFUSED),
        (part(b"Content-Type: text/javascript; name=a", b"x()"), REFUSED),
        (part(OCTETS + b"; name=a.pdf\r\n" + BASE64, b64encode(PDF) + b"=" + b64encode(EXE)), DOUBTFUL),
        (part(OCTETS + b"; name=a.pdf\r\n" + BASE64, b64encode(PDF + b"..") + b"\r\n\r\n"), None),
        (part(b"Content-Type: message/partial; number=1; total=2; id=a", b"x"), DOUBTFUL),
        (part(b"Content-Type: message/external-body; access-type=URL; URL=http://x.example/a.exe", b"x"), DOUBTFUL),
        (part(OCTETS + b"; name=b.exe\r\nContent-Transfer-Encoding: x-uuencode", uu(b"b.exe", EXE)), DOUBTFUL),
        (part(OCTETS + b"\r\nContent-Transfer-Encoding: (a) base64", b64encode(EXE)), DOUBTFUL),
        (part(OCTETS + b"\r\nContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64", b64encode(EXE)), DOUBTFUL),
        (b"Content-Type: text/plain\r\n" + part(OCTETS + b"; name=b.exe", b"..."), DOUBTFUL),
        (b"Content-Type: text/plain\r\n\r\nbegin 644 me, when you are ready\r\n\r\nA vous.", None),
        (part(OCTETS + b"; name=a.eml", part(OCTETS + b"; name=a.txt", b"x")), None),
    ],
    ids=[
        *("a program in a text", "a script in a text", "a letter as a file", "two of them", "two fields name it"),
        *("two names", "a name that old programs read", "a zero in a name", "pieces of a name", "a word within a name"),
        *("a path", "from right to left", "a name of another field"),
        *("an archive by its second name", "no name", "a name without ending"),
        *("base64 behind its end", "base64 and blank lines", "a piece of a message", "a message elsewhere"),
        *("another encoding", "a comment in front", "two encodings"),
        *("two types", "no file in a text", "an honest letter as a file"),
    ],
)  # fmt: skip
async def test_what_others_read_otherwise_is_not_hidden(
    guarded: World, hiding: bytes, expected: list[str] | str | None
) -> None:
    octets = f"From: {DOCTOR}\r\nTo: {CITIZEN}\r\nMIME-Version: 1.0\r\n".encode() + hiding
    fates = answers(await guarded.send(DOCTOR, CITIZEN, octets))
    if expected == REFUSED:
        assert fates == REFUSED
    else:
        assert fates == ["delivered"]
        assert await warning(guarded, CITIZEN) == expected


async def warning(world: World, to: str) -> str | None:
    found: str | None = message_from_bytes((await world.last(to))[:1_000], policy=policy.default)[WARNING]
    return found


def nested(levels: int) -> bytes:
    body = b"Content-Type: application/pdf; name=a.js\r\n\r\nx()"
    for level in range(levels):
        body = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n%b\r\n--b%d--\r\n" % (
            level,
            level,
            body,
            level,
        )
    return body


def many(texts: int, line: bytes = b"") -> bytes:
    parts = b"--b\r\n\r\nx\r\n" * texts + line
    return (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + parts
        + b"--b\r\nContent-Type: application/x; name=a.js\r\n\r\nx()"
    )


ENCODED = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64encode(nested(1))


@pytest.mark.parametrize(
    "hiding",
    [nested(60), many(2_000), many(1, b"--bc\r\n" * 21_000), ENCODED],
    ids=["too deep", "too many parts", "too many false boundaries", "an encoded message"],
)
async def test_what_is_beyond_what_is_read_is_unreadable(guarded: World, hiding: bytes) -> None:
    octets = f"From: {DOCTOR}\r\nTo: {CITIZEN}\r\nMIME-Version: 1.0\r\n".encode() + hiding
    assert answers(await guarded.send(DOCTOR, CITIZEN, octets)) == ["delivered"]
    assert await warning(guarded, CITIZEN) == "unreadable"
    strict = ruled(guarded, NO_POLICY, Policy({Kind.UNREADABLE: Action.REFUSE}))
    assert answers(await strict.send(DOCTOR, CITIZEN, octets)) == ["attachment_refused"]


@pytest.mark.parametrize("plain", [nested(8), many(40)])
async def test_what_is_read_is_not(guarded: World, plain: bytes) -> None:
    octets = f"From: {DOCTOR}\r\nTo: {CITIZEN}\r\nMIME-Version: 1.0\r\n".encode() + plain.replace(b"a.js", b"a.pdf")
    assert answers(await guarded.send(DOCTOR, CITIZEN, octets)) == ["delivered"]
    assert await warning(guarded, CITIZEN) is None
