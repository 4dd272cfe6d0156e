"""Arguments of MAIL and RCPT, replies and the border as tables: text in, value or code out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.chain import Fault, Refused
from mailserver.delivery.api import Door, Fate, Outcome, Recipient, Sender, Terms, Verdict
from mailserver.sign_in import SignedIn
from mailserver.smtp import border, replies
from mailserver.smtp.commands import split_command
from mailserver.smtp.engine import SmtpSession
from mailserver.smtp.grammar import MailCommand, parse_mail, parse_rcpt
from mailserver.smtp.replies import Reply, ascii_text, reply_after_data, reply_of
from mssante import reasons
from mssante.reason import Reason
from mssante.rights import Role
from mssante.sent_for_later import Brought
from tests.mailserver.smtp.smtp_house import BETA_DN, PEERS, List


def all_offered(_: str) -> bool:
    return True


NOW = 1_800_000_000_000
odd_path = SmtpSession.__new__(SmtpSession)._getaddr


def by(seconds: int, *, returns: bool = False, traced: bool = False) -> MailCommand:
    """RFC 2852 4: the deadline counts from the command."""
    return MailCommand("a@c.example", terms=Terms(deadline=NOW + seconds * 1000, returns=returns, traced=traced))


def hold(after: int, wish: str) -> MailCommand:
    return MailCommand("a@c.example", terms=Terms(hold_until=NOW + after, hold=wish))


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("FROM:<a.b@c.example>", MailCommand("a.b@c.example")),
        ("from: <a.b@c.example>", MailCommand("a.b@c.example")),
        ("FROM:<>", MailCommand("")),
        ("FROM:<> RET=FULL", MailCommand("", ret="FULL")),
        ("FROM:<a@c.example> size=12 ret=hdrs", MailCommand("a@c.example", size=12, ret="HDRS")),
        ("FROM:<a@c.example> ENVID=a+2Bb+3Dc", MailCommand("a@c.example", envid="a+b=c")),
        ("FROM:<a@c.example>  BODY=8bitmime", MailCommand("a@c.example")),
        ("FROM:<@r.example:a@c.example>", MailCommand("a@c.example")),
        ('FROM:<"a b"@c.example>', MailCommand('"a b"@c.example')),
        ("FROM:<é@c.example> SMTPUTF8", MailCommand("é@c.example", smtp_utf8=True)),
        ("FROM:<a@c.example> requiretls", MailCommand("a@c.example", terms=Terms(require_tls=True))),
        ("FROM:<é@c.example>", 553),
        ("FROM:<", 553),
        ("FROM:<a@[>", 553),
        ("FROM:<@[ ", 553),
        ("FROM:<a\\@[\\.;>", 553),
        ("FROM:<a@c.example> REQUIRETLS=YES", 501),
        ("FROM:<a@c.example> mt-priority=-9", MailCommand("a@c.example", terms=Terms(priority=-9))),
        ("FROM:<a@c.example> MT-PRIORITY=0", MailCommand("a@c.example")),
        ("FROM:<a@c.example> MT-PRIORITY=4 MT-PRIORITY=4", 501),
        ("FROM:<a@c.example> MT-PRIORITY=10", 501),
        ("FROM:<a@c.example> MT-PRIORITY=+1", 501),
        ("FROM:<a@c.example> MT-PRIORITY=-0", 501),
        ("FROM:<a@c.example> MT-PRIORITY=٣", 501),
        ("FROM:<a@c.example> MT-PRIORITY", 501),
        ("FROM:<a@c.example> BY=98;R", by(98, returns=True)),
        ("FROM:<a@c.example> by=+120;nt", by(120, traced=True)),
        ("FROM:<a@c.example> BY=0;N", by(0)),
        ("FROM:<a@c.example> BY=-999999999;NT", by(-999_999_999, traced=True)),
        ("FROM:<a@c.example> BY=999999999;RT", by(999_999_999, returns=True, traced=True)),
        ("FROM:<a@c.example> HOLDFOR=1", hold(1_000, "for;1")),
        ("FROM:<a@c.example> HOLDFOR=999999999", hold(999_999_999_000, "for;999999999")),
        ("FROM:<a@c.example> HOLDUNTIL=2027-01-15T08:01:00Z", hold(60_000, "until;2027-01-15T08:01:00Z")),
        ("FROM:<a@c.example> HOLDUNTIL=2027-01-15t08:01:00.25z", hold(60_250, "until;2027-01-15T08:01:00.25Z")),
        ("FROM:<a@c.example> HOLDUNTIL=2027-01-15T08:01:00-00:00", hold(60_000, "until;2027-01-15T08:01:00-00:00")),
        ("FROM:<a@c.example> HOLDFOR=0", 501),
        ("FROM:<a@c.example> HOLDFOR=01", 501),
        ("FROM:<a@c.example> HOLDFOR=1000000000", 501),
        ("FROM:<a@c.example> HOLDFOR", 501),
        ("FROM:<a@c.example> HOLDUNTIL=2027-01-15", 501),
        ("FROM:<a@c.example> HOLDUNTIL=2027-01-15T08:01:00", 501),
        ("FROM:<a@c.example> HOLDUNTIL=2027-01-15T08:01:00+01:00", 501),
        ("FROM:<a@c.example> HOLDUNTIL=2027-02-29T08:01:00Z", 501),
        ("FROM:<a@c.example> HOLDUNTIL=2027-01-15T08:01:60Z", 501),
        ("FROM:<a@c.example> HOLDUNTIL=0000-01-15T08:01:00Z", 501),
        ("FROM:<a@c.example> HOLDUNTIL", 501),
        ("FROM:<a@c.example> HOLDFOR=1 HOLDUNTIL=2027-01-15T08:01:00Z", 501),
        ("FROM:<a@c.example> BY=0;R", 501),
        ("FROM:<a@c.example> BY=-1;R", 501),
        ("FROM:<a@c.example> BY=1000000000;R", 501),
        ("FROM:<a@c.example> BY=120", 501),
        ("FROM:<a@c.example> BY=120;", 501),
        ("FROM:<a@c.example> BY=120;T", 501),
        ("FROM:<a@c.example> BY=120;RN", 501),
        ("FROM:<a@c.example> BY=;R", 501),
        ("FROM:<a@c.example> BY=1_0;R", 501),
        ("FROM:<a@c.example> BY", 501),
        ("FROM:<a@c.example> BY=1;R BY=2;R", 501),
        ("FROM:<a@c.example> ENVID=a+0D", 501),
        ("FROM:<a@c.example> ENVID=a=b", 501),
        ("FROM:<a@c.example> ENVID=" + "x" * 101, 501),
        ("FROM:<a@c.example> ENVID", 501),
        ("FROM:<a@c.example> SIZE=", 501),
        ("FROM:<a@c.example> SIZE=-1", 501),
        ("FROM:<a@c.example> RET=ALL", 501),
        ("FROM:<a@c.example> FOO", 555),
        ("FROM:<a@c.example>FOO", 501),
        ("FROM:a@c.example", 501),
        ("FROM:", 501),
        ("TO:<a@c.example>", 501),
        ("FROM:<a@c.example", 553),
        ("FROM:<a b@c.example>", 553),
        ("FROM:<" + "x" * 65 + "@c.example>", 553),
        ("FROM:<a@" + "d" * 300 + ".example>", 553),
        ("FROM:<a@-c.example>", 553),
        ("FROM:<.a@c.example>", 553),
    ],
)
def test_mail(argument: str, expected: MailCommand | int) -> None:
    found = parse_mail(argument, odd_path, all_offered, NOW)
    assert (found.code if isinstance(found, Reply) else found) == expected


@pytest.mark.parametrize(
    ("argument", "notify", "orcpt"),
    [
        ("TO:<a@c.example>", set(), None),
        ("TO:<a@c.example> NOTIFY=never", {"NEVER"}, None),
        ("TO:<a@c.example> NOTIFY=SUCCESS,failure", {"SUCCESS", "FAILURE"}, None),
        ("TO:<a@c.example> ORCPT=rfc822;a+40b@c.example", set(), "rfc822;a@b@c.example"),
        ("TO:<a@c.example> NOTIFY=", 501, None),
        ("TO:<a@c.example> NOTIFY=NEVER,DELAY", 501, None),
        ("TO:<a@c.example> NOTIFY=SOON", 501, None),
        # an address of type utf-8, in each of its forms (RFC 6533 3)
        ("TO:<a@c.example> ORCPT=utf-8;\\x{E9}a@c.example", set(), "utf-8;\\x{E9}a@c.example"),
        ("TO:<a@c.example> ORCPT=UTF-8;éa@c.example", set(), "UTF-8;\\x{E9}a@c.example"),
        ("TO:<a@c.example> ORCPT=utf-8;é\\x{2B}b@c.example", set(), "utf-8;\\x{E9}\\x{2B}b@c.example"),
        ("TO:<a@c.example> ORCPT=utf-8;é+2Bb@c.example", 501, None),
        ("TO:<a@c.example> ORCPT=rfc822;é@c.example", 501, None),
        ("TO:<a@c.example> ORCPT=utf-8;" + "é" * 501, 501, None),
        ("TO:<a@c.example>NOTIFY=NEVER", 501, None),
        ("TO:<@r.example:a@c.example>NOTIFY=NEVER", 501, None),
        ("TO:<@r.example:a@c.example>  NOTIFY=NEVER ", {"NEVER"}, None),
        ("TO:<a@c.example> ORCPT=a@c.example", 501, None),
        ("TO:<a@c.example> ORCPT=rfc822;" + "x" * 501, 501, None),
        ("TO:<>", 553, None),
        ("TO:<é@c.example>", 553, None),
    ],
)
def test_rcpt(argument: str, notify: set[str] | int, orcpt: str | None) -> None:
    found = parse_rcpt(argument, False, odd_path, {})
    if isinstance(found, Reply):
        assert found.code == notify
    else:
        assert (found.address, set(found.notify), found.orcpt) == ("a@c.example", notify, orcpt)


@pytest.mark.parametrize("path", ["<Postmaster>", " <postMASTER>"])
def test_the_postmaster_needs_no_domain(path: str) -> None:
    """RFC 5321 4.1.1.3: whom it means, the house says; at a domain it is an address like others."""
    aliases = {"postmaster": "postmaster@alpha.example"}
    found = parse_rcpt(f"TO:{path} NOTIFY=NEVER", False, odd_path, aliases)
    assert isinstance(found, Recipient)
    assert (found.address, set(found.notify)) == ("postmaster@alpha.example", {"NEVER"})
    assert parse_rcpt(f"TO:{path}", False, odd_path, {}) == replies.BAD_ADDRESS
    other = parse_rcpt("TO:<postmaster@beta.example>", False, odd_path, aliases)
    assert isinstance(other, Recipient)
    assert other.address == "postmaster@beta.example"


@given(st.text(max_size=80))
def test_no_argument_makes_the_grammar_fail(text: str) -> None:
    for argument in (text, f"FROM:{text}", f"FROM:<{text}>", f"FROM:<a@c.example> {text}"):
        found = parse_mail(argument, odd_path, all_offered, NOW)
        assert isinstance(found, Reply | MailCommand)
        if isinstance(found, MailCommand):
            assert not any(c in found.reverse_path for c in "\r\n\0<>") or '"' in found.reverse_path


@given(st.binary(max_size=60))
def test_a_command_line_has_no_control_character(line: bytes) -> None:
    split = split_command(line)
    assert split is None or all(c >= " " and c != "\x7f" for part in split for c in part)


# ---------------------------------------------------------------- replies
def test_a_reply_is_ascii_in_two_languages_whatever_the_detail() -> None:
    detail = {"dn": "CN=évil\r\n250 OK,O=" + "é" * 900, "domain": "x\ny"}
    answer = bytes(reply_of(Verdict("a@b.example", Fate.REFUSED, reasons.CERTIFICATE_NOT_FOR_DOMAIN, detail)))
    lines = answer.split(b"\r\n")
    assert answer.isascii()
    assert lines.pop() == b""
    assert len(lines) > 2
    assert all(len(line) <= 510 for line in lines)
    assert all(line.startswith(b"550-5.7.1 ") for line in lines[:-1])
    assert lines[-1].startswith(b"550 5.7.1 ")


def test_every_reason_makes_a_reply_of_its_own_code() -> None:
    known = [value for value in vars(reasons).values() if isinstance(value, Reason)]
    assert len(known) > 20
    for reason in known:
        wire = bytes(replies.of_reason(reason))
        assert wire.isascii()
        assert b"?" not in wire.replace(b" ?", b""), wire  # nothing left that we could not spell
        assert wire.startswith(f"{reason.code}-{reason.enhanced} ".encode())


def test_french_is_spelt_without_accents() -> None:
    assert ascii_text("« Cœur » : l’œuvre déjà vue…\u00a0! – 5 €") == '" Coeur " : l\'oeuvre deja vue... ! - 5 EUR'


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([None, reasons.BOX_FULL], 250),
        ([reasons.BOX_CLOSED, reasons.BOX_FULL], 452),
        ([reasons.BOX_CLOSED, reasons.EXCHANGE_CLOSED], 550),
        ([None, None], 250),
    ],
)
def test_one_reply_after_data(verdicts: list[Reason | None], code: int) -> None:
    made = tuple(Verdict("x", Fate.REFUSED if reason else Fate.RELAYED, reason) for reason in verdicts)
    assert reply_after_data(Outcome(made, "m")).code == code


def test_a_command_obeyed_is_a_success() -> None:
    assert reply_after_data(Outcome((Verdict("x", Fate.CLOSED),), "m")).code == 250


# ---------------------------------------------------------------- border
@pytest.mark.parametrize(
    ("peer", "reverse_path", "expected"),
    [
        ("beta", "a@beta.example", frozenset({"beta.example"})),
        ("beta", "a@BETA.Example", frozenset({"beta.example"})),
        ("beta", "", frozenset({"beta.example"})),
        ("beta", "a@gamma.example", "550 gamma.example"),
        ("beta", "a@nowhere.example", "550 nowhere.example"),
        ("stranger", "a@beta.example", "550 CN=mail.stranger.example"),
        ("stranger", "", "550 null"),
        ("missing", "a@beta.example", "550 no operator certificate"),
        ("untrusted", "a@beta.example", "550 authority"),
        ("expired", "a@beta.example", "550 expired"),
        ("not_yet_valid", "a@beta.example", "550 not valid yet"),
        ("revoked", "a@beta.example", "550 revoked"),
        ("wrong_usage", "a@beta.example", "550 usage"),
        ("weak", "a@beta.example", "550 weak"),
        ("unreadable", "", "550 malformed"),
        ("crl_missing", "a@beta.example", "450 no revocation list"),
        ("crl_too_old", "a@beta.example", "450 out of date"),
    ],
)
def test_peer(peer: str, reverse_path: str, expected: frozenset[str] | str) -> None:
    found = border.judge_peer(PEERS[peer], List(), reverse_path, "192.0.2.7")
    if isinstance(expected, str):
        assert isinstance(found, Reply)
        code, _, words = expected.partition(" ")
        assert found.code == int(code)
        assert words in " ".join(found.lines)
    else:
        assert found == Sender(Door.MX, peer_domains=expected, client_ip="192.0.2.7")


def test_every_fault_has_its_reply() -> None:
    for fault in Fault:
        assert isinstance(border.allowed_domains(Refused(fault, BETA_DN), List()), Reply)


@pytest.mark.parametrize(
    ("reverse_path", "allowed"),
    [("camille@alpha.example", True), ("Camille@ALPHA.example", True), ("", True), ("x@alpha.example", False)],
)
def test_author(reverse_path: str, allowed: bool) -> None:
    found = border.judge_author(SignedIn(7, "camille@alpha.example", "C"), reverse_path, "")
    assert isinstance(found, Sender) == allowed


def test_the_sign_in_goes_with_what_it_brings() -> None:
    found = border.judge_author(SignedIn(7, "camille@alpha.example", "C", brought=Brought(3, 5, 7)), "", "")
    assert isinstance(found, Sender)
    assert found.brought == Brought(3, 5, 7)


@pytest.mark.parametrize(("role", "sends"), [(Role.HOLDER, True), (Role.MEMBER, True), (Role.READER, False)])
def test_a_reader_does_not_send(role: Role, sends: bool) -> None:
    team = SignedIn(7, "service@alpha.example", "L", role=role)
    for reverse_path in ("service@alpha.example", ""):
        found = border.judge_author(team, reverse_path, "")
        assert isinstance(found, Sender) if sends else found == replies.of_reason(reasons.READER_DOES_NOT_SEND)
