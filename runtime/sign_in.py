"""The mail doors' view of the one sign-in (`mssante.credentials`)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from sqlalchemy import Connection

from foundation.clock import MINUTE, Clock
from foundation.database import Database
from foundation.dn import DistinguishedName
from foundation.places import network_of
from mailserver.sign_in import Member, Proven, Provider, Refused, Seats, SignedIn, Unnamed
from mailserver.store.watching import Watchers
from mssante import credentials, mailboxes, token_sign_in
from mssante.cache import Cache
from mssante.certificate_sign_in import opened_by
from mssante.credentials import Credentials
from mssante.devices import Came, Devices, Door
from mssante.life import SHARED
from mssante.mailboxes import Mailboxes
from mssante.scram import Proof, Salt
from mssante.sent_for_later import Brought
from mssante.token_sign_in import TokenSignIn

KNOWN, KNOWN_FOR = (
    10_000,
    MINUTE,
)  # people whose shared mailboxes are remembered; a lost signal harms for a minute at most


@dataclass(frozen=True, slots=True)
class _Known:
    """`person`: `credentials.person_number`, 0 for nobody known."""

    person: int
    seats: tuple[SignedIn, ...]


class MailSignIn:
    """Mail clients: professionals only; a citizen's mailbox is read on the web page. `scope`: IMAP or SUBMISSION.

    `tokens` and `provider` go together; None: no token is taken. `seen(box_id)` hears of each sign-in, `devices` of the program.
    """

    def __init__(
        self,
        db: Database,
        credentials_: Credentials,
        mailboxes_: Mailboxes,
        clock: Clock,
        scope: str,
        tokens: TokenSignIn | None = None,
        provider: Provider | None = None,
        seen: Callable[[int], None] = lambda box_id: None,
        devices: tuple[Devices, Door] | None = None,
    ) -> None:
        self._db, self._credentials, self._mailboxes = db, credentials_, mailboxes_
        self._clock, self._scope = clock, scope
        self._tokens, self._provider, self._heard = tokens, provider, seen
        self._devices = devices
        self._people, self._boxes, self._persons = Watchers(), Watchers(), Watchers()
        self._seats: Cache[int, _Known] = Cache(KNOWN, KNOWN_FOR)
        for topic, watchers in (
            (credentials.TOPIC, self._people),
            (mailboxes.TOPIC, self._boxes),
            (credentials.PERSON, self._persons),
        ):
            db.subscribe(topic, self._forget)  # ahead of who asks again at once
            db.subscribe(topic, watchers.wake)

    @property
    def provider(self) -> Provider | None:
        return self._provider

    async def by_password(self, login: str, password: str, client_ip: str) -> SignedIn | Refused:
        answer = await self._credentials.check(login, password, self._clock(), client_ip, self._scope)
        return self._known(answer) if isinstance(answer, credentials.SignedIn) else Refused(answer.wait_ms)

    async def by_token(self, login: str, token: str, client_ip: str) -> SignedIn | Refused | Unnamed:
        assert self._tokens is not None  # offered only then
        answer = await self._tokens.check(login, token, self._clock(), client_ip, self._scope)
        if isinstance(answer, token_sign_in.Unnamed):
            return Unnamed()
        return self._known(answer) if isinstance(answer, credentials.SignedIn) else Refused(answer.wait_ms)

    async def by_certificate(self, address: str, certificate: DistinguishedName, client_ip: str) -> SignedIn | Refused:
        """Nobody guesses a certificate: there is nothing to slow down. No credential of a person stands for a program."""
        generation, who = -1, None
        while generation != self._credentials.generation:  # unbound or closed meanwhile, before anybody watches
            generation = self._credentials.generation
            who = await self._opened(certificate, address)
        if who is None:
            return Refused()
        self._heard(who.box_id)
        return who

    async def _opened(self, certificate: DistinguishedName, address: str) -> SignedIn | None:
        box = await self._db.read(opened_by, self._mailboxes, certificate, address)
        if box is None:
            return None
        brought = Brought(certificate=certificate.text)
        name = box.holder.display_name
        return SignedIn(box.id, box.address.key, name, name=name, token=certificate, brought=brought)

    def nonce(self) -> str:
        return secrets.token_urlsafe(18)

    async def salt(self, login: str) -> Salt:
        return await self._credentials.salt(login)

    async def by_proof(self, login: str, proof: Proof, client_ip: str) -> Proven | Refused:
        answer = await self._credentials.check_proof(login, proof, self._clock(), client_ip, self._scope)
        if not isinstance(answer, credentials.Proven):
            return Refused(answer.wait_ms)
        return Proven(self._known(answer.who), answer.signature)

    def came(self, who: SignedIn, client_ip: str, name: str) -> None:
        """Not of who came by a certificate: no person has a page about it."""
        if self._devices is not None and isinstance(who.token, credentials.SignedIn):
            devices, door = self._devices
            devices.came(Came.of(who.token, door, name, network_of(client_ip)), self._clock())

    def watch(self, who: SignedIn, doubt: Callable[[], None]) -> Callable[[], None]:
        person, box = self._people.add(who.member, doubt), self._boxes.add(who.box_id, doubt)

        def undo() -> None:
            person()
            box()

        return undo

    async def standing(self, who: SignedIn) -> SignedIn | None:
        if isinstance(who.token, DistinguishedName):
            return await self._opened(who.token, who.address)
        assert isinstance(who.token, credentials.SignedIn)
        now = await self._db.read(self._credentials.standing, who.token, self._scope)
        return None if now is None else _seen(now)

    async def seats(self, who: SignedIn, doubt: Callable[[], None]) -> Seats:
        """From memory while nobody's sign-in and no mailbox changes: nearly nobody has any."""
        now, generation, known = self._clock(), -1, self._seats.get(who.member, self._clock())
        while known is None:
            generation = self._seats.generation
            known = await self._db.read(self._sat, who)
            if generation != self._seats.generation:
                known = None  # changed meanwhile, before anybody watches
        if generation >= 0:
            self._seats.keep(who.member, known, now, generation)
        undo = ExitStack()
        if known.person:
            undo.callback(self._persons.add(known.person, doubt))
        for seat in known.seats:
            undo.callback(self.watch(seat, doubt))
        return Seats(tuple(seat for seat in known.seats if _reaches(who, seat)), undo.close)

    def _sat(self, conn: Connection, who: SignedIn) -> _Known:
        person = self._credentials.person(conn, who.token) if isinstance(who.token, credentials.SignedIn) else None
        if person is None:
            return _Known(0, ())
        found = self._credentials.seats(conn, person, self._scope)
        return _Known(credentials.person_number(person), tuple(map(_seen, found)))

    def _forget(self, _: int) -> None:
        self._seats.forget(lambda _, __: True)

    async def members(self, box_id: int) -> list[Member]:
        found = await self._db.read(self._credentials.members, box_id)
        return [Member(one.credential_id, one.login, one.role) for one in found if one.active]

    def _known(self, who: credentials.SignedIn) -> SignedIn:
        self._heard(who.box_id)
        return _seen(who)


def _reaches(who: SignedIn, seat: SignedIn) -> bool:
    """A seat that a second factor keeps is not opened by a password alone, whosever it is."""
    by, to = who.token, seat.token
    alone = isinstance(by, credentials.SignedIn) and bool(by.stamp)
    return not (alone and isinstance(to, credentials.SignedIn) and to.enrolled)


def _seen(who: credentials.SignedIn) -> SignedIn:
    brought = Brought(who.credential_id, who.app_password, who.at)
    team = who.kind in SHARED
    return SignedIn(who.box_id, who.address, who.actor, who.credential_id, who.role, team, who.name, who, brought)
