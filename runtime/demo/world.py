"""Puts the demo's people into one operator's database: mailboxes with folders, sign-ins, directory, families.

Run at every start: who is there already is left alone, so that a second start keeps the data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from foundation.database import Transaction
from health_space.profiles import operations as profiles
from mssante import directory
from mssante.credentials import MAIL, WEB, NewCredential
from mssante.directory import Entry
from mssante.kinds import BoxKind
from mssante.mailbox import GIB, Holder, NewMailbox
from mssante.passwords import PasswordHash, hash_password
from runtime.demo.people import BENCH_BOXES, OPERATORS, Citizen, Operator, Professional
from runtime.house import House


@dataclass(frozen=True, slots=True)
class Account:
    """One sign-in of the demo, as listed in var/demo.json."""

    operator: str
    role: str
    kind: BoxKind
    name: str
    address: str
    login: str


def accounts(operator: Operator) -> list[Account]:
    """Every sign-in of an operator, and the citizens who have none (empty login)."""
    listed = [
        Account(operator.key, one.role, one.kind, member.name, one.address, member.login)
        for one in operator.professionals
        for member in one.members
    ]
    listed += [Account(operator.key, c.role, BoxKind.CIT, c.name, c.address, c.login) for c in operator.citizens]
    return listed


def fill(house: House, operator: Operator, passwords: dict[str, str], bench: bool) -> None:
    """`passwords`: login -> password. Blocks for the hashes: before the doors open."""
    hashes = {login: _hash(house, login, password) for login, password in passwords.items() if _missing(house, login)}
    house.db.write_now(_fill, house, operator, hashes)
    if bench:
        fill_bench(house, operator)


def bench_address(operator: Operator, number: int) -> str:
    return f"bench{number}@{operator.domains[0]}"


def bench_password(number: int) -> str:
    return f"bench-{number}"  # loopback test accounts, made only with --bench


def fill_bench(house: House, operator: Operator) -> None:
    for number in range(1, BENCH_BOXES + 1):
        if _missing(house, address := bench_address(operator, number)):
            house.db.write_now(_bench_box, house, address, _hash(house, address, bench_password(number)))


def _hash(house: House, login: str, password: str) -> PasswordHash:
    return hash_password(password, house.credentials.salt_for(login))


def _missing(house: House, login: str) -> bool:
    return not house.db.read_now(house.credentials.knows, login)


def _bench_box(tx: Transaction, house: House, address: str, password_hash: PasswordHash) -> None:
    holder = Holder(display_name=address)
    box_id = _box(tx, house, NewMailbox(address, BoxKind.APP, holder, quota_bytes=1 << 40))
    credential = NewCredential(box_id, address, address, password_hash, frozenset({MAIL}))
    house.credentials.add(tx, credential, house.clock())


def _fill(tx: Transaction, house: House, operator: Operator, hashes: dict[str, PasswordHash]) -> None:
    for professional in operator.professionals:
        _professional(tx, house, professional, hashes)
    for citizen in operator.citizens:
        _citizen(tx, house, citizen, hashes)
    for citizen in operator.citizens:
        _family(tx, house, operator, citizen)
    for other in OPERATORS:
        for professional in other.professionals:
            _publish(tx, house, professional)


def _professional(tx: Transaction, house: House, one: Professional, hashes: dict[str, PasswordHash]) -> None:
    holder = Holder(one.name, one.holder_id, one.profession, one.phone, one.town)
    box_id = _box(tx, house, NewMailbox(one.address, one.kind, holder, sector=one.sector))
    for member in one.members:
        if member.login in hashes:
            new = NewCredential(
                box_id,
                member.login,
                member.name,
                hashes[member.login],
                frozenset({MAIL, WEB}),
                member.role,
                member.number,
            )
            house.credentials.add(tx, new, house.clock())


def _citizen(tx: Transaction, house: House, one: Citizen, hashes: dict[str, PasswordHash]) -> None:
    holder = Holder(one.name, one.ins, private_email=one.private_email, birth_date=one.birth_date)
    box_id = _box(tx, house, NewMailbox(one.address, BoxKind.CIT, holder, profile=one.profile))
    if one.login in hashes:
        new = NewCredential(box_id, one.login, one.name, hashes[one.login], frozenset({WEB}))
        house.credentials.add(tx, new, house.clock())


def _family(tx: Transaction, house: House, operator: Operator, parent: Citizen) -> None:
    guardian = house.mailboxes.resolve(tx.conn, parent.address)
    for child in (one for one in operator.citizens if one.role in parent.children):
        person = house.mailboxes.resolve(tx.conn, child.address)
        if guardian is None or person is None:
            raise LookupError("made just before")
        profiles.add_guardian(tx, guardian.id, person.id, profiles.Kind.PARENT, house.clock())


def _box(tx: Transaction, house: House, new: NewMailbox) -> int:
    """The mailbox's id; made with its folders when it is not there yet."""
    if (found := house.mailboxes.resolve(tx.conn, new.address)) is not None:
        return found.id
    sized = new if new.quota_bytes != GIB else replace(new, quota_bytes=house.settings.limits.quota_bytes)
    box = house.mailboxes.create(tx, sized, house.clock())
    house.store.open_box_in(tx, box.id, professional=new.kind is not BoxKind.CIT)
    return box.id


def _publish(tx: Transaction, house: House, one: Professional) -> None:
    entry = Entry(
        address=one.address,
        kind=one.kind,
        display_name=one.name,
        profession=one.profession,
        town=one.town,
        sector=one.sector,
        structure_id=one.holder_id if one.kind is not BoxKind.PER else "",
        phone=one.phone,
        hours="du lundi au samedi, de 9 h à 19 h 30" if one.sector == "SA33" else "",
    )
    directory.add(tx, house.keys, entry)
