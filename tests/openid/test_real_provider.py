"""Mail clients with the tokens of a provider nobody here wrote (npm's oidc-provider): from its sign-in page to the mailbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from foundation.clock import DAY, MINUTE, SECOND, system_clock
from foundation.database import Database, metadata
from foundation.keys import KeyRing
from mailserver.sasl import Desk
from mailserver.scram import Fault
from mailserver.sign_in import Provider, Refused, SignedIn
from mssante import app_passwords, one_time
from mssante.credentials import IMAP, MAIL, WEB, Credentials, NewCredential
from mssante.identity import luhn_key
from mssante.kinds import BoxKind, BoxState
from mssante.mailbox import Holder, NewMailbox
from mssante.mailboxes import Mailboxes
from mssante.openid import Rules
from mssante.openid_provider import AGAIN, Asking, OpenIdProvider
from mssante.passwords import hash_password
from mssante.token_sign_in import TokenSignIn
from runtime.sign_in import MailSignIn
from tests.openid.real import ASKING, AUDIENCE, RealProvider

HASH = hash_password("cheval correct", None)
CAMILLE_RPPS, NADIA_RPPS, PAUL_RPPS, AWA_RPPS = (f"109900000{n}{luhn_key(f'109900000{n}')}" for n in (1, 2, 3, 4))
PSC = "8"  # how the national identifier of an RPPS number begins


class Operator:
    """camille and paul hold personal mailboxes, and are of a team each; nadia is of two teams, awa of one, luc has a login that
    the provider knows too.
    """

    def __init__(self, folder: Path, issuer: str, asking: Asking | None = None, **rules: Any) -> None:
        self.later = 0
        self.db = Database(f"sqlite:///{folder}/o.db")
        metadata.create_all(self.db.engine)
        self.keys = KeyRing(b"k" * 32)
        self.boxes = Mailboxes(self.keys)
        self.credentials = Credentials(self.db, self.keys, self.boxes)
        self.ids: dict[str, int] = {}
        self.addresses: dict[str, int] = {}
        for login, address, kind, number, subject in (
            ("camille", "camille.roche@alpha.example", BoxKind.PER, CAMILLE_RPPS, ""),
            ("camille.soir", "soir@alpha.example", BoxKind.ORG, "", CAMILLE_RPPS),
            ("paul", "paul.masson@alpha.example", BoxKind.PER, PAUL_RPPS, PAUL_RPPS),
            ("paul.soir", "nuit@alpha.example", BoxKind.CAB, "", PAUL_RPPS),
            ("awa", "urgences@alpha.example", BoxKind.ORG, "", AWA_RPPS),
            ("nadia.cardio", "cardio@alpha.example", BoxKind.ORG, "", NADIA_RPPS),
            ("nadia.garde", "garde@alpha.example", BoxKind.ORG, "", NADIA_RPPS),
            ("luc", "accueil@alpha.example", BoxKind.ORG, "", ""),
        ):
            box = self.db.write_now(self.boxes.create, NewMailbox(address, kind, Holder(login, number)), 1).id
            new = NewCredential(box, login, login, HASH, subject=subject)
            self.ids[login], self.addresses[login] = self.db.write_now(self.credentials.add, new, 1), box
        self.provider = OpenIdProvider(Rules(issuer, AUDIENCE, **rules), self.clock, asking=asking)
        self.tokens = TokenSignIn(self.db, self.keys, self.credentials, self.provider)
        offered = Provider(self.provider.configuration, "scope_all")
        self.sign_in = MailSignIn(self.db, self.credentials, self.boxes, self.clock, IMAP, self.tokens, offered)

    def clock(self) -> int:
        return system_clock() + self.later

    async def opens(
        self, token: str, login: str = "camille", mechanism: str = "OAUTHBEARER"
    ) -> SignedIn | Refused | Fault:
        """As a mail client does; the error document is read on the way."""
        self.later += 5 * SECOND  # no wait of an earlier try
        exchange = Desk(self.sign_in, "192.0.2.1").begin(mechanism)
        assert exchange is not None
        named = f"n,a={login}," if login else "n,,"
        begun = f"{named}\x01" if mechanism == "OAUTHBEARER" else f"user={login}\x01"
        async with aclosing(exchange):
            assert await anext(exchange) == b""
            step = await exchange.asend(f"{begun}auth=Bearer {token}\x01\x01".encode())
            if isinstance(step, bytes):
                self.error = json.loads(step)
                step = await exchange.asend(b"\x01")
        assert isinstance(step, (SignedIn, Refused, Fault))
        return step


@pytest_asyncio.fixture(loop_scope="session")
async def operator(provider: RealProvider, tmp_path: Path) -> AsyncIterator[Operator]:
    made = Operator(tmp_path, provider.issuer)
    yield made
    await made.db.close()


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
async def test_from_the_providers_page_to_the_mailbox(
    provider: RealProvider, operator: Operator, mechanism: str
) -> None:
    async with provider.running():
        token = await provider.token(PSC + CAMILLE_RPPS)
        assert token.count(".") == 2
        who = await operator.opens(token, mechanism=mechanism)
        assert isinstance(who, SignedIn)
        assert (who.address, who.member) == ("camille.roche@alpha.example", operator.ids["camille"])


async def test_whose_mailbox_a_token_opens(provider: RealProvider, operator: Operator) -> None:
    async with provider.running():
        people = (PSC + CAMILLE_RPPS, PSC + NADIA_RPPS, PSC + PAUL_RPPS, PSC + AWA_RPPS, "Luc")
        camille, nadia, paul, awa, luc = [await provider.token(name) for name in people]
        table: list[tuple[str, str, str | None]] = [
            (camille, "camille", "camille"),
            (camille, "CAMILLE ", "camille"),
            (camille, "camille.soir", "camille.soir"),
            (camille, "", "camille"),
            (camille, "nadia.cardio", None),  # the neighbour's
            (camille, "luc", None),
            (camille, "inconnue", None),
            (paul, "", "paul"),  # his own, beside his seat
            (paul, "paul", "paul"),
            (paul, "paul.soir", "paul.soir"),
            (paul, "camille.soir", None),
            (awa, "", None),  # a team's is opened by its name only
            (awa, "awa", "awa"),
            (nadia, "nadia.cardio", "nadia.cardio"),
            (nadia, "nadia.garde", "nadia.garde"),
            (nadia, "", None),  # which of the two?
            (nadia, "camille", None),
            (luc, "luc", "luc"),
            (luc, "", "luc"),
            (luc, "camille", None),
        ]
        for token, login, opened in table:
            who = await operator.opens(token, login)
            if opened is None:
                assert who is Fault.UNNAMED if not login else isinstance(who, Refused), (login, who)
            else:
                assert isinstance(who, SignedIn), (login, who)
                assert who.member == operator.ids[opened]


async def test_a_mailbox_that_does_not_name_its_holder_is_not_mistaken(
    provider: RealProvider, operator: Operator
) -> None:
    """The team's seat is the only one that names her: it is not her own. The daily sweep finds that out."""
    await operator.db.write(operator.credentials.set_subject, operator.ids["camille"], "")
    async with provider.running():
        camille = await provider.token(PSC + CAMILLE_RPPS)
        assert await operator.opens(camille, "") is Fault.UNNAMED
        assert isinstance(await operator.opens(camille, "camille"), SignedIn)
        assert await operator.db.write(operator.credentials.learn_numbers, 0)
        who = await operator.opens(camille, "")
        assert isinstance(who, SignedIn)
        assert who.member == operator.ids["camille"]


async def test_a_login_left_out_is_no_guess(provider: RealProvider, operator: Operator) -> None:
    """Nobody waits for it; a wrong token says nothing of logins."""
    async with provider.running():
        nadia = await provider.token(PSC + NADIA_RPPS)
        with capture_logs() as logs:
            for _ in range(3):
                assert await operator.opens(nadia, "") is Fault.UNNAMED
                operator.later -= 5 * SECOND
        assert [log["reason"] for log in logs if log["event"] == "openid.token_refused"] == ["NO_LOGIN"] * 3
        assert isinstance(await operator.opens(nadia + "x", ""), Refused)


async def test_a_second_factor_here_is_not_asked_for_twice(provider: RealProvider, operator: Operator) -> None:
    camille = operator.ids["camille"]
    await operator.db.write(one_time.enrol_totp, operator.keys, camille, one_time.new_totp_secret())
    secret = app_passwords.new_secret(operator.credentials.salt_for("camille"))
    await operator.db.write(app_passwords.add, operator.keys, camille, "x", frozenset({IMAP}), secret, 1)
    async with provider.running():
        assert isinstance(await operator.opens(await provider.token(PSC + CAMILLE_RPPS)), SignedIn)


async def test_what_is_closed_here_stays_closed(provider: RealProvider, operator: Operator) -> None:
    async with provider.running():
        camille, luc = await provider.token(PSC + CAMILLE_RPPS), await provider.token("luc")
        await operator.db.write(operator.boxes.set_state, operator.addresses["camille"], BoxState.CLOSED, 1)
        await operator.db.write(operator.credentials.revoke, operator.ids["luc"])
        operator.boxes.forget(operator.addresses["camille"])
        assert isinstance(await operator.opens(camille), Refused)
        assert isinstance(await operator.opens(luc, "luc"), Refused)


async def test_a_door_that_the_credential_does_not_have(provider: RealProvider, operator: Operator) -> None:
    box = operator.addresses["luc"]
    new = NewCredential(box, "pages", "Pages", HASH, frozenset({WEB}), subject="pages")
    await operator.db.write(operator.credentials.add, new, 1)
    new = NewCredential(box, "courrier", "Courrier", HASH, frozenset({MAIL}), subject="courrier")
    await operator.db.write(operator.credentials.add, new, 1)
    async with provider.running():
        assert isinstance(await operator.opens(await provider.token("courrier"), "courrier"), SignedIn)
        assert isinstance(await operator.opens(await provider.token("pages"), "pages"), Refused)


async def test_what_a_token_must_say(provider: RealProvider, operator: Operator) -> None:
    async with provider.running():
        weak = await provider.token(PSC + CAMILLE_RPPS, scope="openid")
        others = await provider.token(PSC + CAMILLE_RPPS, audience="https://autre.example")
        good = await provider.token(PSC + CAMILLE_RPPS)
        head, body, signature = good.split(".")
        forged = f"{head}.{others.split('.')[1]}.{signature}"
        with capture_logs() as logs:
            for token in (weak, others, forged, f"{head}.{body}.", f"{head}.{body}", "x"):
                assert isinstance(await operator.opens(token), Refused)
                assert operator.error["status"] == "invalid_token"
                assert operator.error["openid-configuration"] == provider.issuer + "/.well-known/openid-configuration"
        reasons = [log["reason"] for log in logs if log["event"] == "openid.token_refused"]
        assert reasons == ["LEVEL", "AUDIENCE", "SIGNATURE", "SIGNATURE", "UNREADABLE", "UNREADABLE"]
        assert CAMILLE_RPPS not in str(logs)
        operator.later += 10 * MINUTE
        ended = await operator.opens(good)
        assert ended == Refused(0)  # its client asks for another: nothing to slow down
        assert isinstance(await operator.opens(await provider.token(PSC + CAMILLE_RPPS)), Refused)  # our clock is ahead


async def test_keys_rotate_and_the_provider_may_rest(provider: RealProvider, operator: Operator) -> None:
    async with provider.running("k1", lives=3 * 86_400):
        first = await provider.token(PSC + CAMILLE_RPPS)
        assert isinstance(await operator.opens(first), SignedIn)
    assert isinstance(await operator.opens(first), SignedIn)  # not asked again: its key is known
    async with provider.running("k2", lives=3 * 86_400):
        second = await provider.token(PSC + CAMILLE_RPPS)
        assert isinstance(await operator.opens(second), Refused)  # asked half a minute ago: not yet again
        operator.later += AGAIN
        assert isinstance(await operator.opens(second), SignedIn)
        assert isinstance(await operator.opens(first), Refused)  # the provider has this key no more
    operator.later += DAY
    with capture_logs() as logs:
        assert await operator.opens(second) == Refused(0)
    assert "openid.unreachable" in [log["event"] for log in logs]


async def test_asked_about_each_token(provider: RealProvider, tmp_path: Path) -> None:
    """Opaque tokens, which only the provider can read (RFC 7662); one that it takes back is good for a minute more at most."""
    operator = Operator(tmp_path, provider.issuer, Asking(*ASKING), clients=frozenset({"logiciel"}))
    async with provider.running(form="opaque"):
        token = await provider.token(PSC + CAMILLE_RPPS)
        assert "." not in token
        assert isinstance(await operator.opens(token), SignedIn)
        assert isinstance(await operator.opens(token, "nadia.cardio"), Refused)
        assert isinstance(await operator.opens("inventé".encode().hex()), Refused)
        weak = await provider.token(PSC + CAMILLE_RPPS, scope="openid")
        assert isinstance(await operator.opens(weak), Refused)
    operator.later += MINUTE
    assert await operator.opens(token) == Refused(0)  # nobody to ask
    await operator.db.close()


async def test_a_token_taken_back(provider: RealProvider, tmp_path: Path) -> None:
    operator = Operator(tmp_path, provider.issuer, Asking(*ASKING))
    async with provider.running(form="opaque", lives=3600):
        token = await provider.token(PSC + CAMILLE_RPPS)
        assert isinstance(await operator.opens(token), SignedIn)
        await provider.revoke(token)
        operator.later += MINUTE
        assert isinstance(await operator.opens(token), Refused)
    await operator.db.close()
