"""A sign-in over a few people whose passwords are known: by password, and by proof, as `mssante.credentials` does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from foundation.dn import DistinguishedName
from mailserver.sign_in import Member, Proven, Provider, Refused, Seats, SignedIn, Unnamed
from mailserver.store.watching import Watchers
from mssante import scram
from mssante.rights import Role
from mssante.scram import Proof, Salt

# The server's part of the example of RFC 7677 3; it may always be the same: these people's sessions are never recorded.
NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = Salt(bytes.fromhex("5b6d99689d12358eeca04b141236fa81"), 4096)


PROVIDER = Provider("https://psc.example/.well-known/openid-configuration", "openid")


class People:
    """`people`: login -> password and who it is; those of one mailbox are its members.

    `seats`: login -> the logins under which the same person works in shared mailboxes.
    `wait_ms`: how long each wrong answer waits. `provider`: with one, the token of each is their password. `certificates`: by the
    name in each, whose mailboxes it opens.
    """

    def __init__(
        self,
        people: dict[str, tuple[str, SignedIn]],
        wait_ms: int = 0,
        provider: Provider | None = None,
        certificates: dict[str, list[SignedIn]] | None = None,
        seats: dict[str, list[str]] | None = None,
    ) -> None:
        self._seats, self.asked_for_seats = dict(seats or {}), 0
        self._people, self._wait_ms, self.provider = dict(people), wait_ms, provider
        self._watchers = Watchers()
        self.arrivals: list[tuple[int, str, str]] = []  # member, address, name of the program
        self._certificates = certificates or {}

    def with_tokens(self) -> People:
        return People(self._people, self._wait_ms, PROVIDER)

    async def by_password(self, login: str, password: str, client_ip: str) -> SignedIn | Refused:
        known, who = self._people.get(login, (None, None))
        return who if who is not None and password == known else Refused(self._wait_ms)

    def nonce(self) -> str:
        return NONCE

    async def salt(self, login: str) -> Salt:
        return SALT

    async def by_proof(self, login: str, proof: Proof, client_ip: str) -> Proven | Refused:
        if login in self._people:
            password, who = self._people[login]
            signature = scram.signature(scram.keys_of(password, SALT), proof)
            if signature is not None:
                return Proven(who, signature)
        return Refused(self._wait_ms)

    async def by_token(self, login: str, token: str, client_ip: str) -> SignedIn | Refused | Unnamed:
        """`nobody`: of somebody with several mailboxes."""
        assert self.provider is not None
        if token == "nobody":
            return Unnamed()
        return await self.by_password(login, token, client_ip)

    def came(self, who: SignedIn, client_ip: str, name: str) -> None:
        self.arrivals.append((who.member, client_ip, name))

    def watch(self, who: SignedIn, doubt: Callable[[], None]) -> Callable[[], None]:
        return self._watchers.add(who.member, doubt)

    async def standing(self, who: SignedIn) -> SignedIn | None:
        return next((one for _, one in self._people.values() if one.member == who.member), None)

    async def seats(self, who: SignedIn, doubt: Callable[[], None]) -> Seats:
        self.asked_for_seats += 1
        login = next(login for login, (_, one) in self._people.items() if one.member == who.member)
        there = [self._people[other][1] for other in self._seats.get(login, []) if other in self._people]
        watched = [self._watchers.add(number, doubt) for number in (*(seat.member for seat in there), -who.member)]

        def undo() -> None:
            for one in watched:
                one()

        return Seats(tuple(replace(seat, team=True) for seat in there), undo)

    def join(self, login: str, other: str) -> None:
        """The person of `login` works in a shared mailbox too, as `other`."""
        self._seats[login] = [*self._seats.get(login, []), other]
        self._watchers.wake(-self._people[login][1].member)

    def change(self, member: int, role: Role | None) -> None:
        """Another role; None: they are revoked."""
        login = next(login for login, (_, who) in self._people.items() if who.member == member)
        password, who = self._people.pop(login)
        if role is not None:
            self._people[login] = password, replace(who, role=role)
        self._watchers.wake(member)

    async def by_certificate(self, address: str, certificate: DistinguishedName, client_ip: str) -> SignedIn | Refused:
        found = [who for who in self._certificates.get(certificate.text, []) if address in ("", who.address)]
        return found[0] if len(found) == 1 else Refused()

    async def members(self, box_id: int) -> list[Member]:
        here = [(login, who) for login, (_, who) in self._people.items() if who.box_id == box_id]
        return [Member(who.member, login, who.role) for login, who in here]
