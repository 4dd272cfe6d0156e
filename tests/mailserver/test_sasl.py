"""The SASL exchanges, driven without any door: what each message of a client leads to."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import pbkdf2_hmac, sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation import dn
from mailserver import bearer
from mailserver.sasl import MECHANISMS, Desk, Step, decoded
from mailserver.scram import Fault
from mailserver.sign_in import Refused, SignedIn
from tests.support.people import People

CAMILLE, COMMA = SignedIn(7, "camille@alpha.example"), SignedIn(8, "a@alpha.example")
PEOPLE = People({"camille": ("café-au-lait", CAMILLE), "a,b=c": ("x", COMMA)}, wait_ms=250)
CHANNEL = {"tls-exporter": b"\x01\xfe" * 16}
CLEAR, BOUND = Desk(PEOPLE, "192.0.2.1"), Desk(PEOPLE, "192.0.2.1", CHANNEL.get)
SCRAM, PLUS = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"


@dataclass
class Client:
    """SCRAM as a client does it (RFC 5802 3), apart from the code under test."""

    login: str = "camille"
    password: str = "café-au-lait"
    header: str = "n,,"
    channel: bytes = b""
    nonce: str = "fyko+d2lbbFgONRv9qkxdawL"

    @property
    def bare(self) -> str:
        return f"n={self.login},r={self.nonce}"

    @property
    def first(self) -> bytes:
        return (self.header + self.bare).encode()

    def final(self, challenge: bytes) -> bytes:
        attributes = dict(field.split("=", 1) for field in challenge.decode().split(","))
        assert attributes["r"].startswith(self.nonce)
        assert len(attributes["r"]) > len(self.nonce)
        bound = b64encode(self.header.encode() + self.channel).decode()
        unproven = f"c={bound},r={attributes['r']}"
        self.message = f"{self.bare},{challenge.decode()},{unproven}".encode()
        salt, rounds = b64decode(attributes["s"]), int(attributes["i"])
        self.salted = pbkdf2_hmac("sha256", self.password.encode(), salt, rounds)
        key = hmac.digest(self.salted, b"Client Key", "sha256")
        signature = hmac.digest(sha256(key).digest(), self.message, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return f"{unproven},p={b64encode(proof).decode()}".encode()

    def believes(self, verdict: bytes) -> bool:
        key = hmac.digest(self.salted, b"Server Key", "sha256")
        return verdict == b"v=" + b64encode(hmac.digest(key, self.message, "sha256"))


async def end_of(desk: Desk, mechanism: str, *responses: bytes) -> Step:
    exchange = desk.begin(mechanism)
    assert exchange is not None
    async with aclosing(exchange):
        step = await anext(exchange)
        for response in responses:
            assert isinstance(step, bytes), step
            step = await exchange.asend(response)
    return step


async def scram(desk: Desk, mechanism: str, client: Client) -> Step:
    exchange = desk.begin(mechanism)
    assert exchange is not None
    async with aclosing(exchange):
        assert await anext(exchange) == b""
        step = await exchange.asend(client.first)
        if not isinstance(step, bytes):
            return step
        step = await exchange.asend(client.final(step))
        if not isinstance(step, bytes):
            return step
        assert client.believes(step)
        return await exchange.asend(b"")


EXPORTER = CHANNEL["tls-exporter"]


@pytest.mark.parametrize(
    ("desk", "mechanism", "client", "end"),
    [
        (CLEAR, SCRAM, Client(), CAMILLE),
        (BOUND, SCRAM, Client(), CAMILLE),  # the client cannot bind: it says so
        (CLEAR, SCRAM, Client(header="y,,"), CAMILLE),
        (BOUND, SCRAM, Client(header="y,,"), Fault.DOWNGRADED),
        (BOUND, PLUS, Client(header="p=tls-exporter,,", channel=EXPORTER), CAMILLE),
        (BOUND, PLUS, Client(header="p=tls-exporter,,", channel=EXPORTER[:-1] + b"x"), Fault.OTHER_CHANNEL),
        (BOUND, PLUS, Client(header="p=tls-exporter,,"), Fault.OTHER_CHANNEL),
        (BOUND, PLUS, Client(header="p=tls-unique,,", channel=EXPORTER), Fault.UNBOUND),
        (BOUND, PLUS, Client(header="n,,"), Fault.MALFORMED),
        (BOUND, PLUS, Client(header="y,,"), Fault.MALFORMED),
        (BOUND, SCRAM, Client(header="p=tls-exporter,,", channel=EXPORTER), Fault.MALFORMED),
        (BOUND, PLUS, Client(header="p=tls-exporter,,", channel=EXPORTER, password="x"), Refused(250)),
        (CLEAR, SCRAM, Client(password="cafe-au-lait"), Refused(250)),
        (CLEAR, SCRAM, Client(login="nobody"), Refused(250)),
        (CLEAR, SCRAM, Client(header="n,a=camille,"), CAMILLE),
        (CLEAR, SCRAM, Client(header="n,a=paul,"), Fault.ANOTHER),
        (CLEAR, SCRAM, Client(login="a=2Cb=3Dc", password="x"), COMMA),
        (CLEAR, SCRAM, Client(login="a=2Cb=3Dc", password="x", header="n,a=a=2Cb=3Dc,"), COMMA),
    ],
)
async def test_scram(desk: Desk, mechanism: str, client: Client, end: Step) -> None:
    assert await scram(desk, mechanism, client) == end


@pytest.mark.parametrize(
    "first",
    [
        b"", b"n", b"n,,", b"n,,n=camille", b"n,,n=,r=abc", b"n,,n=camille,r=", b"n,,r=abc,n=camille", b"x,,n=camille,r=abc",
        b"N,,n=camille,r=abc", b"n,n=camille,r=abc", b"n,camille,n=camille,r=abc", b"p=,,n=camille,r=abc", b"n,,n=a=2cb,r=abc",
        b"n,,n=a=b,r=abc", b"n,,n=ca\0mille,r=abc", b"n,,n=camille,r=ab c", b"n,,n=camille,r=abc,", b"n,,n=camille,r=abc,xy",
        b"n,,m=later,n=camille,r=abc", b"n,,n=\xff,r=abc", b"n,,n=camille,r=\xc3\xa9",
    ],
)  # fmt: skip
async def test_first_messages_that_are_none(first: bytes) -> None:
    assert await end_of(CLEAR, SCRAM, first) is Fault.MALFORMED


async def test_extensions_are_passed_over_and_proven() -> None:
    step = await end_of(CLEAR, SCRAM, b"n,,n=camille,r=abc,x=later,y=a=b")
    assert isinstance(step, bytes)
    assert step.startswith(b"r=abc")


NONCE = b"fyko+d2lbbFgONRv9qkxdawL" + PEOPLE.nonce().encode()


@pytest.mark.parametrize(
    ("final", "end"),
    [
        (b"", Fault.MALFORMED),
        (b"c=biws,r=%b" % NONCE, Fault.MALFORMED),
        (b"c=biws,r=%b,p=" % NONCE, Refused(250)),
        (b"c=biws,r=%b,p=AAAA" % NONCE, Refused(250)),
        (b"c=biws,r=%b,x=y,p=%b" % (NONCE, b64encode(bytes(32))), Refused(250)),
        (b"c=biws,r=%b,p=AAA" % NONCE, Fault.MALFORMED),
        (b"c=biws,r=%b,p=AAAA,x=y" % NONCE, Fault.MALFORMED),
        (b"c=biws,r=%b,p=AAAA" % NONCE[:-1], Fault.MALFORMED),
        (b"c=biws,r=%b,p=AAAA" % (NONCE + b"x"), Fault.MALFORMED),
        (b"c=biws,r=%b,p=AAAA" % NONCE[24:], Fault.MALFORMED),
        (b"c=eSws,r=%b,p=AAAA" % NONCE, Fault.OTHER_CHANNEL),
        (b"c=,r=%b,p=AAAA" % NONCE, Fault.OTHER_CHANNEL),
        (b"r=%b,c=biws,p=AAAA" % NONCE, Fault.MALFORMED),
    ],
)
async def test_final_messages(final: bytes, end: Step) -> None:
    assert await end_of(CLEAR, SCRAM, Client().first, final) == end


async def test_the_last_word_of_the_client_is_empty() -> None:
    client = Client()
    challenge = await end_of(CLEAR, SCRAM, client.first)
    assert isinstance(challenge, bytes)
    assert await end_of(CLEAR, SCRAM, client.first, client.final(challenge), b"more") is Fault.MALFORMED


def test_what_is_offered() -> None:
    assert CLEAR.mechanisms == (SCRAM, "PLAIN", "LOGIN")
    assert BOUND.mechanisms == (PLUS, SCRAM, "PLAIN", "LOGIN")
    assert CLEAR.begin(PLUS) is None
    assert CLEAR.begin("EXTERNAL") is None
    assert Desk(PEOPLE, "192.0.2.1", certificate=LAB).mechanisms == (SCRAM, "EXTERNAL", "PLAIN", "LOGIN")
    assert CLEAR.begin("") is None


@pytest.mark.parametrize(
    ("mechanism", "responses", "end"),
    [
        ("PLAIN", ["\0camille\0café-au-lait".encode()], CAMILLE),
        ("plain", ["camille\0camille\0café-au-lait".encode()], CAMILLE),
        ("PLAIN", [b"\0camille\0x"], Refused(250)),
        ("PLAIN", [b"paul\0camille\0x"], Fault.ANOTHER),
        ("PLAIN", [b"camille\0x"], Fault.MALFORMED),
        ("PLAIN", [b"\0camille\0x\0"], Fault.MALFORMED),
        ("PLAIN", [b"\0camille\0\xff"], Fault.MALFORMED),
        ("PLAIN", [b""], Fault.MALFORMED),
        ("LOGIN", [b"camille", "café-au-lait".encode()], CAMILLE),
        ("LOGIN", [b"camille", b""], Refused(250)),
        ("LOGIN", [b"\xff", b"x"], Fault.MALFORMED),
    ],
)
async def test_passwords(mechanism: str, responses: list[bytes], end: Step) -> None:
    assert await end_of(CLEAR, mechanism, *responses) == end


LAB = dn.parse("CN=labo,O=LABORATOIRE,C=FR")
ONE, OTHER = SignedIn(9, "resultats@labo.example"), SignedIn(10, "examens@labo.example")
SEVERAL = dn.parse("CN=groupe,O=GROUPE,C=FR")
MACHINES = People({}, certificates={LAB.text: [ONE], SEVERAL.text: [ONE, OTHER]})


@pytest.mark.parametrize(
    ("certificate", "responses", "end"),
    [
        (LAB, [b""], ONE),
        (LAB, [b"resultats@labo.example"], ONE),
        (LAB, [b"examens@labo.example"], Refused()),  # the neighbour's
        (SEVERAL, [b"examens@labo.example"], OTHER),
        (SEVERAL, [b""], Refused()),  # which of the two?
        (dn.parse("CN=labo,O=AUTRE,C=FR"), [b""], Refused()),
        (LAB, [b"\xff"], Fault.MALFORMED),
        (LAB, [b"resultats@labo.example\0"], Fault.MALFORMED),
    ],
)
async def test_external(certificate: dn.DistinguishedName, responses: list[bytes], end: Step) -> None:
    assert await end_of(Desk(MACHINES, "192.0.2.1", certificate=certificate), "EXTERNAL", *responses) == end


@pytest.mark.parametrize(("stands", "end"), [(True, ONE), (False, Refused())])
async def test_a_certificate_that_its_authority_disowns_opens_nothing(stands: bool, end: Step) -> None:
    """Asked when it is used: what the handshake knew may be hours old."""

    async def vouched() -> bool:
        return stands

    desk = Desk(MACHINES, "192.0.2.1", certificate=LAB, vouched=vouched)
    assert await end_of(desk, "EXTERNAL", b"") == end


TOKENS = Desk(PEOPLE.with_tokens(), "192.0.2.1")


def test_tokens_are_offered_where_a_provider_is() -> None:
    assert TOKENS.mechanisms == (SCRAM, "OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN")
    assert CLEAR.begin("OAUTHBEARER") is None
    assert CLEAR.begin("XOAUTH2") is None


GOOD = "auth=Bearer abc\x01\x01"


@pytest.mark.parametrize(("mechanism", "begun"), [("OAUTHBEARER", b"n,,\x01"), ("XOAUTH2", b"user=\x01")])
async def test_a_good_token_and_no_mailbox(mechanism: str, begun: bytes) -> None:
    """The client is told what it left out, after the document that RFC 7628 3.2.2 wants."""
    exchange = TOKENS.begin(mechanism)
    assert exchange is not None
    async with aclosing(exchange):
        await anext(exchange)
        assert b'"status"' in await exchange.asend(begun + b"auth=Bearer nobody\x01\x01")  # type: ignore[operator]
        assert await exchange.asend(b"\x01") is Fault.UNNAMED


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        (f"n,a=camille,\x01{GOOD}", ("camille", "abc")),
        (f"y,a=camille,\x01{GOOD}", ("camille", "abc")),
        (f"n,,\x01{GOOD}", ("", "abc")),
        (f"n,a=a=2Cb=3Dc,\x01{GOOD}", ("a,b=c", "abc")),
        (f"n,a=camille,\x01host=h\x01port=993\x01{GOOD}", ("camille", "abc")),
        (f"n,a=camille,\x01later=a=b\x01{GOOD}", ("camille", "abc")),  # RFC 7628 3.1: unknown keys are ignored
        ("n,,\x01auth=bEaReR  a.b-c_d~e+f/g==\x01\x01", ("", "a.b-c_d~e+f/g==")),
        (f"p=tls-exporter,a=camille,\x01{GOOD}", Fault.UNBOUND),
        *(
            (message, Fault.MALFORMED)
            for message in (
                "", "\x01", "n,,", "n,,\x01", "n,,\x01\x01", "n,,\x01auth=Bearer abc\x01", "n,,auth=Bearer abc\x01\x01",
                "n,,\x01auth=Basic abc\x01\x01", "n,,\x01auth=Bearer\x01\x01", "n,,\x01auth=Bearer a b\x01\x01",
                "n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01", f"x,,\x01{GOOD}", f"n,a=,\x01{GOOD}", f"n,a=a=b,\x01{GOOD}",
                f"n,,\x01{GOOD}x", "n,,\x01auth=Bearer \u00e9\x01\x01", "n,,\x01=x\x01auth=Bearer a\x01\x01",
            )
        ),
    ],
)  # fmt: skip
def test_messages_of_oauthbearer(message: str, asked: tuple[str, str] | Fault) -> None:
    found = bearer.read_oauthbearer(message.encode())
    assert (found if isinstance(found, Fault) else (found.login, found.token)) == asked


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        (f"user=camille\x01{GOOD}", ("camille", "abc")),
        (f"user=a,b=c\x01{GOOD}", ("a,b=c", "abc")),
        (f"user=\x01{GOOD}", ("", "abc")),
        *(
            (message, Fault.MALFORMED)
            for message in (
                GOOD,
                f"user=camille{GOOD}",
                "user=camille\x01\x01",
                f"User=camille\x01{GOOD}",
                f"n,,\x01{GOOD}",
            )
        ),
    ],
)
def test_messages_of_xoauth2(message: str, asked: tuple[str, str] | Fault) -> None:
    found = bearer.read_xoauth2(message.encode())
    assert (found if isinstance(found, Fault) else (found.login, found.token)) == asked


@pytest.mark.parametrize(
    ("line", "response"),
    [(b"", b""), (b"=", b""), (b"*", Fault.CANCELLED), (b"AGE=", b"\0a"), (b"AGE", Fault.UNREADABLE), (b"a b", Fault.UNREADABLE)],
)  # fmt: skip
def test_responses_on_the_wire(line: bytes, response: bytes | Fault) -> None:
    assert decoded(line) == response


@given(st.lists(st.binary(max_size=80), max_size=3), st.sampled_from([*MECHANISMS]))
async def test_no_message_breaks_an_exchange(responses: list[bytes], mechanism: str) -> None:
    exchange = Desk(PEOPLE.with_tokens(), "192.0.2.1", CHANNEL.get, LAB).begin(mechanism)
    assert exchange is not None
    async with aclosing(exchange):
        step = await anext(exchange)
        for response in responses:
            if not isinstance(step, bytes):
                break
            step = await exchange.asend(response)
        assert not isinstance(step, SignedIn)
