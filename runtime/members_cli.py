"""`mssante mailbox members …`: who signs in to a mailbox, each under their own name (docs/rules.md section 2)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.command import Desk, Lines, acts, lists, plain

if TYPE_CHECKING:
    from mssante.kinds import SignInState

members = typer.Typer(
    no_args_is_help=True, help="Membres d’une boîte et leurs rôles. // Members of a mailbox and their roles."
)


class RoleName(StrEnum):
    HOLDER = "holder"
    MEMBER = "member"
    READER = "reader"


Address = Annotated[str, typer.Argument(help="Adresse de la boîte. // Address of the mailbox.")]
Login = Annotated[str, typer.Argument(help="Identifiant de la personne. // Login of the person.")]
_COLUMNS = {
    "login": "identifiant // login",
    "person": "personne // person",
    "role": "rôle // role",
    "state": "accès // sign-in",
}


@members.command("list")
@lists
def list_(at: Desk, address: Address) -> None:
    """Qui peut s’identifier, avec quel rôle.

    // Who can sign in, with which role.
    """
    from runtime.mailbox_acts import found
    from runtime.mailbox_words import ROLES, SIGN_INS

    box = at.read(lambda conn: found(at, conn, address))
    rows = [
        {"login": one.login, "person": one.actor, "role": one.role.value, "state": one.state.value}
        for one in at.read(at.house.credentials.members, box.id)
    ]
    at.change(lambda tx: at.record(tx, "mailbox:members-list", {"box": box.id}))
    words = {"role": ROLES, "state": SIGN_INS}
    at.listed(
        rows,
        _COLUMNS,
        "Personne. // Nobody.",
        lambda key, value: at.said(words[key][value]) if key in words else plain(value, at.lang),
    )


@members.command()
@acts
def add(
    at: Desk,
    address: Annotated[
        str, typer.Argument(help="Adresse de la boîte, ou --file. // Address of the mailbox, or --file.")
    ] = "",
    login: Annotated[str, typer.Argument(help="Identifiant de la personne. // Login of the person.")] = "",
    person: Annotated[str, typer.Option("--person", help="Son nom. // Their name.")] = "",
    role: Annotated[
        RoleName | None, typer.Option("--role", help="Son rôle (membre sinon). // Their role (else member).")
    ] = None,
    subject: Annotated[
        str,
        typer.Option(
            "--subject", help='Son numéro RPPS : voir « members subject ». // RPPS number, see "members subject".'
        ),
    ] = "",
    file: Lines = None,
) -> None:
    """Donner un accès à une personne ; son mot de passe est montré une fois.

    // Give a person a sign-in; their password is shown once.
    """
    from runtime.member_acts import joining

    given = {
        "address": address,
        "login": login,
        "person": person,
        "role": role.value if role else "",
        "subject": subject,
    }
    at.one_or_each(file, given, ("address", "login"), joining(at), ("person", "role", "subject"))


@members.command()
@acts
def role(
    at: Desk, address: Address, login: Login, to: Annotated[RoleName, typer.Argument(help="Nouveau rôle. // New role.")]
) -> None:
    """Changer le rôle d’un membre.

    // Change a member's role.
    """
    from mssante.rights import Role
    from runtime.member_acts import changing_member

    at.one(changing_member(at, address, login, Role(to.value), None))


@members.command()
@acts
def subject(
    at: Desk,
    address: Address,
    login: Login,
    name: Annotated[
        str,
        typer.Argument(help="Numéro RPPS, ou nom chez le fournisseur ; vide : aucun. // RPPS number, or name there."),
    ] = "",
) -> None:
    """Dire qui est un membre : il voit alors cette boîte depuis sa boîte personnelle, et ses jetons Pro Santé Connect l’ouvrent.

    // Say who a member is: they then see this mailbox from their own, and their OpenID tokens open it with this login.
    """
    from runtime.member_acts import naming

    at.one(naming(at, address, login, name.strip()))


@members.command()
@acts
def suspend(at: Desk, address: Address, login: Login) -> None:
    """Suspendre l’accès d’une personne : ses connexions ouvertes sont coupées.

    // Suspend a person's sign-in: open connections are cut.
    """
    from mssante.kinds import SignInState

    _state(at, address, login, SignInState.SUSPENDED)


@members.command()
@acts
def resume(at: Desk, address: Address, login: Login) -> None:
    """Rendre un accès suspendu.

    // Give a suspended sign-in back.
    """
    from mssante.kinds import SignInState

    _state(at, address, login, SignInState.ACTIVE)


@members.command()
@acts
def remove(at: Desk, address: Address, login: Login) -> None:
    """Retirer l’accès d’une personne, pour toujours : son identifiant ne sera donné à personne d’autre.

    // Remove a person's sign-in, for good: the login is never given to another.
    """
    from mssante.kinds import SignInState

    _state(at, address, login, SignInState.REVOKED)


def _state(at: Desk, address: str, login: str, state: SignInState) -> None:
    from runtime.member_acts import changing_member

    at.one(changing_member(at, address, login, None, state))
