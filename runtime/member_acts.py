"""What an operator does to the people of a mailbox: joining, roles, suspending and removing their sign-in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mssante import life
from mssante.app_secrets import generate
from mssante.credentials import MAIL, WEB, LoginTaken, Member, NewCredential, login_form
from mssante.kinds import SignInState
from mssante.mailbox import Mailbox
from mssante.passwords import PasswordHash, hash_password
from mssante.rights import Role
from runtime.command import Act, Desk, Refused, Row
from runtime.mailbox_acts import acting
from runtime.mailbox_words import ROLES, SIGN_INS, refusal, role

if TYPE_CHECKING:
    from foundation.database import Transaction


def joining(at: Desk) -> Callable[[Row], Act]:
    """Of a row with address, login, person, role, subject; a new password is made and shown once."""

    def plan(row: Row) -> Act:
        newcomer = Newcomer.of(at, row["login"], row["person"], role(row["role"]), row["subject"].strip())
        french, _, english = ROLES[newcomer.role.value].partition(" // ")
        fr, en = password_words(at)
        text = f"{{login}} : {french} de {{address}}, {fr} // {{login}}: {english} of {{address}}, {en}"
        return acting(
            at, life.Act.MEMBERS, row["address"], lambda tx, box: newcomer.joins(at, tx, box), text, ("member", "role")
        )

    return plan


def changing_member(at: Desk, address: str, login: str, role_: Role | None, state: SignInState | None) -> Act:
    def work(tx: Transaction, box: Mailbox) -> dict[str, Any]:
        seats = at.house.credentials.members(tx.conn, box.id)
        member = among(seats, login)
        then = life.Seat(member.credential_id, role_ or member.role, (state or member.state) is SignInState.ACTIVE)
        allow(box, seats, then)
        if role_ is not None:
            at.house.credentials.set_role(tx, member.credential_id, role_)
        if state is not None:
            at.house.credentials.set_state(tx, member.credential_id, state)
        state_now = (state or member.state).value
        return {
            "member": member.credential_id,
            "login": member.login,
            "role": then.role.value,
            "state": state_now,
            "shown": f"{at.said(ROLES[then.role.value])}, {at.said(SIGN_INS[state_now])}",
        }

    text = "{login} : {shown} // {login}: {shown}"
    return acting(at, life.Act.MEMBERS, address, work, text, ("member", "role", "state"))


def naming(at: Desk, address: str, login: str, subject: str) -> Act:
    """`subject`: how the OpenID provider names the person; it is shown, and in no trace."""

    def work(tx: Transaction, box: Mailbox) -> dict[str, Any]:
        member = among(at.house.credentials.members(tx.conn, box.id), login)
        at.house.credentials.set_subject(tx, member.credential_id, subject)
        return {"member": member.credential_id, "login": member.login, "subject": subject}

    text = (
        "{login} : numéro RPPS {subject} // {login}: RPPS number {subject}"
        if subject
        else "{login} : aucun numéro RPPS // {login}: no RPPS number"
    )
    return acting(at, life.Act.MEMBERS, address, work, text, ("member",))


def among(members: list[Member], login: str) -> Member:
    member = next((one for one in members if one.login == login_form(login)), None)
    if member is None or member.state is SignInState.REVOKED:
        raise Refused("{login} : n’a pas d’accès ici // {login}: no sign-in here", login=login)
    return member


@dataclass(frozen=True, slots=True, repr=False)
class Newcomer:
    """Somebody with a new password, which is shown once; `subject` as in `NewCredential`."""

    login: str
    person: str
    role: Role
    password: str
    password_hash: PasswordHash
    subject: str = ""
    scopes: frozenset[str] = frozenset({MAIL, WEB})

    @classmethod
    def of(cls, at: Desk, login: str, person: str, role: Role, subject: str = "") -> Newcomer:
        """About 40 ms: outside of transactions."""
        password = generate()
        made = hash_password(password, at.house.credentials.salt_for(login))
        return cls(login, person or login, role, password, made, subject)

    def joins(self, at: Desk, tx: Transaction, box: Mailbox) -> dict[str, Any]:
        allow(box, at.house.credentials.members(tx.conn, box.id), life.Seat(0, self.role, True))
        own = (box.id, self.login, self.person, self.password_hash, self.scopes)
        new = NewCredential(*own, role=self.role, subject=self.subject)
        try:
            number = at.house.credentials.add(tx, new, at.now)
        except LoginTaken:
            raise Refused("{login} : identifiant déjà pris // {login}: login already taken", login=self.login) from None
        shown = None if at.dry_run else self.password  # the one of a rehearsal opens nothing
        return {"member": number, "login": self.login, "role": self.role.value, "password": shown}


def password_words(at: Desk) -> tuple[str, str]:
    """What is said of a newcomer's password, in both languages."""
    if at.dry_run:
        return "mot de passe à venir", "password to come"
    return "mot de passe {password}", "password {password}"


def allow(box: Mailbox, members: list[Member], new: life.Seat) -> None:
    seats = [life.Seat(one.credential_id, one.role, one.active) for one in members]
    if why := life.seated(box.kind, seats, new):
        raise refusal(box.address.text, why)
