"""Passkeys: what the ceremonies take and refuse (W3C Web Authentication 7.1, 7.2), challenges used once, and the neighbour's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyotp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.clock import HOUR, MINUTE
from foundation.database import Database, metadata
from foundation.keys import KeyRing
from mssante import ceremonies, one_time, passkeys
from mssante.ceremonies import LIVES, BadPasskey, RelyingParty
from mssante.credentials import IMAP, WEB, Credentials, NewCredential, SignedIn, WrongPassword
from mssante.kinds import BoxKind
from mssante.mailbox import Holder, NewMailbox
from mssante.mailboxes import Mailboxes
from mssante.one_time import WrongCode
from mssante.passkeys import RightPasskey
from mssante.passwords import hash_password
from tests.support.authenticator import PRESENT, VERIFIED, Device, octets, text
from tests.support.properties import examples

HASH = hash_password("cheval correct", None)
PARTY = RelyingParty("alpha.example", "Opérateur Alpha", "https://pages.alpha.example")
NOW = 1_794_472_800_000
MINE, OTHERS = "session", "another session"


class House:
    """camille and antoine hold a personal mailbox each."""

    def __init__(self, url: str) -> None:
        self.db = Database(url)
        metadata.create_all(self.db.engine)
        self.keys = KeyRing(bytes(range(32)))
        boxes = Mailboxes(self.keys)
        self.credentials = Credentials(self.db, self.keys, boxes)
        self.credentials.listen()
        self.ids = {}
        for login in ("camille", "antoine"):
            new = NewMailbox(f"{login}@alpha.example", BoxKind.PER, Holder(login.title()))
            box = self.db.write_now(boxes.create, new, NOW).id
            credential = NewCredential(box, login, login.title(), HASH)
            self.ids[login] = self.db.write_now(self.credentials.add, credential, NOW)

    def who(self, login: str = "camille") -> SignedIn:
        found = self.db.read_now(self.credentials.of, self.ids[login])
        assert found is not None
        return found

    def device(self, **said: Any) -> Device:
        return Device(**{"origin": PARTY.origin, "domain": PARTY.id, **said})

    def creation(self, login: str = "camille", session: str = MINE, now: int = NOW) -> str:
        return self.db.write_now(passkeys.creation, self.keys, PARTY, self.who(login), session, now)

    def enrol(self, answer: str, login: str = "camille", now: int = NOW, session: str = MINE, **more: Any) -> object:
        def work(tx: Any) -> object:
            return passkeys.enrol(tx, self.keys, PARTY, self.ids[login], session, answer, "Clé", now, **more)

        return self.db.write_now(work)

    def enrolled(self, login: str = "camille", **said: Any) -> Device:
        device = self.device(**said)
        assert isinstance(self.enrol(device.create(self.creation(login)), login), RightPasskey)
        return device

    def asking(self, login: str = "camille", session: str = MINE, now: int = NOW) -> str:
        found = self.db.write_now(passkeys.asking, self.keys, PARTY, self.ids[login], session, now)
        assert found is not None
        return found

    def check(self, answer: str, login: str = "camille", session: str = MINE, now: int = NOW) -> object:
        return self.db.write_now(passkeys.check, self.keys, PARTY, self.ids[login], session, answer, now)

    def mine(self, login: str = "camille") -> list[passkeys.Passkey]:
        return self.db.read_now(passkeys.of, self.keys, self.ids[login])


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(f"sqlite:///{tmp_path}/p.db")
    yield made
    await made.db.close()


# ---------------------------------------------------------------- enrolling
def test_enrolled_then_asked_for(house: House) -> None:
    device = house.enrolled()
    assert [(one.name, one.used_at, one.blocked) for one in house.mine()] == [("Clé", 0, False)]
    assert house.who().passkey
    found = house.check(device.get(house.asking()), now=NOW + 1)
    assert found == RightPasskey(house.mine()[0].id)
    assert house.mine()[0].used_at == NOW - NOW % HOUR


def test_what_the_browser_is_asked(house: House) -> None:
    asked = json.loads(house.creation())
    assert asked["rp"] == {"id": "alpha.example", "name": "Opérateur Alpha"}
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["attestation"] == "none"
    assert asked["timeout"] == 5 * MINUTE
    assert len(octets(asked["challenge"])) == 32
    assert b"camille" not in octets(asked["user"]["id"])  # 14.6.1
    device = house.enrolled()
    assert [one["id"] for one in json.loads(house.creation())["excludeCredentials"]] == [text(device.id)]
    again = json.loads(house.asking())
    assert (again["rpId"], again["userVerification"]) == ("alpha.example", "required")
    assert [one["id"] for one in again["allowCredentials"]] == [text(device.id)]


REFUSED_AT_CREATION: list[tuple[str, dict[str, Any], BadPasskey]] = [
    ("another origin", {"origin": "https://pages.alpha.example.evil.example"}, BadPasskey.WRONG),
    ("the same host without TLS", {"origin": "http://pages.alpha.example"}, BadPasskey.WRONG),
    ("another port", {"origin": "https://pages.alpha.example:8443"}, BadPasskey.WRONG),
    ("another site's key", {"domain": "evil.example"}, BadPasskey.WRONG),
    ("the host's, not the domain's", {"domain": "pages.alpha.example"}, BadPasskey.WRONG),
    ("touched, nobody recognised", {"flags": PRESENT}, BadPasskey.WRONG),
    ("nobody there", {"flags": VERIFIED}, BadPasskey.WRONG),
    ("in a frame of another site", {"cross_origin": True}, BadPasskey.FRAMED),
    ("an id too long", {"id": bytes(1_024)}, BadPasskey.WRONG),
]


@pytest.mark.parametrize(("what", "said", "why"), REFUSED_AT_CREATION)
def test_refused_at_creation(house: House, what: str, said: dict[str, Any], why: BadPasskey) -> None:
    assert house.enrol(house.device(**said).create(house.creation())) is why, what
    assert house.mine() == []
    assert not house.who().passkey


def test_a_challenge_is_good_once_in_its_session_for_five_minutes(house: House) -> None:
    device = house.device()
    answer = device.create(house.creation())
    assert house.enrol(answer, session=OTHERS) is BadPasskey.NO_CHALLENGE
    assert house.enrol(answer, now=NOW + LIVES) is BadPasskey.NO_CHALLENGE
    assert house.enrol(answer) is BadPasskey.NO_CHALLENGE  # too late was once too
    assert isinstance(house.enrol(device.create(house.creation()), now=NOW + LIVES - 1), RightPasskey)
    answer = device.get(house.asking())
    assert isinstance(house.check(answer), RightPasskey)
    assert house.check(answer) is BadPasskey.NO_CHALLENGE
    earlier = device.get(house.asking())
    house.asking()  # another tab
    assert house.check(earlier) is BadPasskey.WRONG
    house.asking(session=OTHERS)
    assert house.check(device.get(house.asking(session=OTHERS)), session=MINE) is BadPasskey.NO_CHALLENGE


def test_an_answer_to_the_other_question(house: House) -> None:
    device = house.enrolled()
    assert house.check(device.create(house.creation())) is BadPasskey.WRONG
    assert house.enrol(device.get(house.asking())) is BadPasskey.WRONG


def test_one_device_serves_one_person(house: House) -> None:
    device = house.enrolled()
    assert house.enrol(device.create(house.creation())) is BadPasskey.TAKEN
    assert house.enrol(device.create(house.creation("antoine")), "antoine") is BadPasskey.TAKEN


def test_as_many_as_we_keep(house: House) -> None:
    for _ in range(passkeys.MOST):
        house.enrolled()
    assert house.enrol(house.device().create(house.creation())) is BadPasskey.TOO_MANY


async def test_a_first_step_of_before_adds_none_afterwards(house: House) -> None:
    """Somebody who knows the password waits on the page while its owner enrols, by either means."""
    waiting = house.creation(session=OTHERS)
    house.enrolled()
    assert house.enrol(house.device().create(waiting), session=OTHERS, first=True) is BadPasskey.NOT_FIRST
    secret = one_time.new_totp_secret()
    code = pyotp.TOTP(secret).at(NOW // 1000)
    late = await house.db.write(one_time.confirm_totp, house.keys, house.ids["camille"], secret, code, NOW, True)
    assert isinstance(late, WrongCode)


# ---------------------------------------------------------------- signing in
REFUSED_AT_SIGN_IN: list[tuple[str, Callable[[Device], Any], BadPasskey]] = [
    ("another origin", lambda one: setattr(one, "origin", "https://evil.example"), BadPasskey.WRONG),
    ("another site", lambda one: setattr(one, "domain", "evil.example"), BadPasskey.WRONG),
    ("nobody recognised", lambda one: setattr(one, "flags", PRESENT), BadPasskey.WRONG),
    ("in a frame", lambda one: setattr(one, "cross_origin", True), BadPasskey.FRAMED),
    ("another's hand", lambda one: setattr(one, "handle", b"x" * 16), BadPasskey.SOMEBODY_ELSE),
    ("another key", lambda one: setattr(one, "key", Device("", "").key), BadPasskey.WRONG),
    ("unknown here", lambda one: setattr(one, "id", bytes(32)), BadPasskey.UNKNOWN),
    ("a counter that stands", lambda one: setattr(one, "count", 0), BadPasskey.COPIED),
]


@pytest.mark.parametrize(("what", "change", "why"), REFUSED_AT_SIGN_IN)
def test_refused_at_sign_in(house: House, what: str, change: Callable[[Device], Any], why: BadPasskey) -> None:
    device = house.enrolled()
    change(device)
    assert house.check(device.get(house.asking())) is why, what
    assert house.mine()[0].used_at == 0


def test_the_neighbours_passkey_opens_nothing(house: House) -> None:
    device = house.enrolled("antoine")
    house.enrolled("camille")
    assert house.check(device.get(house.asking("camille")), "camille") is BadPasskey.UNKNOWN
    [antoines] = house.mine("antoine")
    assert not house.db.write_now(passkeys.remove, house.ids["camille"], antoines.id)
    assert len(house.mine("antoine")) == 1


def test_a_copy_is_blocked_and_so_is_the_original(house: House) -> None:
    device = house.enrolled()
    copy = replace(device)
    for _ in range(3):
        assert isinstance(house.check(device.get(house.asking())), RightPasskey)
    other = house.enrolled()
    assert house.check(copy.get(house.asking())) is BadPasskey.COPIED
    assert house.check(device.get(house.asking())) is BadPasskey.BLOCKED
    assert [one.blocked for one in house.mine()] == [True, False]
    assert [one["id"] for one in json.loads(house.asking())["allowCredentials"]] == [text(other.id)]
    assert isinstance(house.check(other.get(house.asking())), RightPasskey)


def test_a_wrong_signature_with_a_small_counter_blocks_nothing(house: House) -> None:
    """Who knows only the password cannot lock the owner out."""
    device = house.enrolled()
    copy = replace(device, key=Device("", "").key, count=0)
    device.count = 5
    assert isinstance(house.check(device.get(house.asking())), RightPasskey)
    assert house.check(copy.get(house.asking())) is BadPasskey.WRONG
    assert not house.mine()[0].blocked


def test_a_device_that_does_not_count(house: House) -> None:
    """Synchronised passkeys say 0 always."""
    device = house.enrolled(count=None)
    for _ in range(2):
        assert isinstance(house.check(device.get(house.asking())), RightPasskey)


def test_removed_it_opens_nothing(house: House) -> None:
    device = house.enrolled()
    asked = house.asking()
    assert house.db.write_now(passkeys.remove, house.ids["camille"], house.mine()[0].id)
    assert house.check(device.get(asked)) is BadPasskey.UNKNOWN
    assert house.db.write_now(passkeys.asking, house.keys, PARTY, house.ids["camille"], MINE, NOW) is None


# ---------------------------------------------------------------- beside it
async def test_the_own_password_is_for_the_pages_only(house: House) -> None:
    async def opens(scope: str, now: int) -> object:
        return await house.credentials.check("camille", "cheval correct", now, "192.0.2.1", scope)

    assert isinstance(await opens(IMAP, NOW), SignedIn)
    enrolled = await house.db.write(lambda tx: passkeys.creation(tx, house.keys, PARTY, house.who(), MINE, NOW))
    answer = house.device().create(enrolled)
    await house.db.write(passkeys.enrol, house.keys, PARTY, house.ids["camille"], MINE, answer, "Clé", NOW)
    assert isinstance(await opens(IMAP, NOW + MINUTE), WrongPassword)
    assert isinstance(await opens(WEB, NOW + 2 * MINUTE), SignedIn)


def test_nothing_readable_is_kept(tmp_path: Path) -> None:
    house = House(f"sqlite:///{tmp_path}/s.db")
    device = house.enrolled()
    house.db.close_now()
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("s.db*"))
    assert device.id not in raw
    assert "Clé".encode() not in raw


# ---------------------------------------------------------------- hostile octets
CHALLENGE = bytes(32)
_OPTIONS = json.dumps({"challenge": text(CHALLENGE), "user": {"id": text(b"h")}})
_DEVICE = Device(PARTY.origin, PARTY.id)
_MADE = ceremonies.made(PARTY, CHALLENGE, _DEVICE.create(_OPTIONS))
assert isinstance(_MADE, ceremonies.Made)
_KEY = _MADE.public_key
_GOOD = (_DEVICE.create(_OPTIONS), _DEVICE.get(_OPTIONS))


@settings(max_examples=examples(300))
@given(st.sampled_from(_GOOD), st.integers(0, 2_000), st.binary(max_size=6), st.integers(0, 40))
def test_an_altered_answer_is_refused_and_never_a_fault(good: str, at: int, put: bytes, cut: int) -> None:
    at = min(at, len(good))
    text_ = good[:at] + put.decode("latin-1") + good[at + cut :]
    for found in (
        ceremonies.made(PARTY, CHALLENGE, text_),
        ceremonies.signed(PARTY, CHALLENGE, b"h", _KEY, 0, text_),
        ceremonies.id_of(text_),
    ):
        assert isinstance(found, (BadPasskey, ceremonies.Made, int, bytes))


@given(st.one_of(st.text(max_size=60), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "rawId", "type", "response", "clientDataJSON", "userHandle"]), inner, max_size=4),
    max_leaves=8).map(json.dumps)))  # fmt: skip
def test_what_no_browser_sends(answer: str) -> None:
    assert isinstance(ceremonies.made(PARTY, CHALLENGE, answer), BadPasskey)
    assert isinstance(ceremonies.signed(PARTY, CHALLENGE, b"h", _KEY, 0, answer), BadPasskey)
    assert ceremonies.made(PARTY, CHALLENGE, "x" * (ceremonies.LONGEST + 1)) is BadPasskey.UNREADABLE


@pytest.mark.parametrize("field", ["signature", "authenticatorData", "clientDataJSON"])
@pytest.mark.parametrize("bit", [0, 7, 300])
def test_each_octet_is_under_the_signature(field: str, bit: int) -> None:
    good = json.loads(_GOOD[1])
    content = bytearray(octets(good["response"][field]))
    content[bit % len(content)] ^= 1
    good["response"][field] = text(bytes(content))
    found = ceremonies.signed(PARTY, CHALLENGE, b"h", _KEY, 0, json.dumps(good))
    assert isinstance(found, BadPasskey)
