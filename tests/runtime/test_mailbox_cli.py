"""`mssante mailbox` and `mssante domain` as an operator types them."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from foundation import dn
from foundation.audit import verify
from foundation.clock import DAY, Clock
from foundation.tables import audit
from mailserver.store.api import NewMessage
from mailserver.store.tables import folders
from mssante import directory
from mssante.address import Address
from mssante.credentials import WEB
from mssante.identity import demo_ins, luhn_key
from mssante.kinds import BoxKind, ProfileState
from mssante.mailbox import NewMailbox
from mssante.tables import credentials
from runtime.cli import app
from runtime.house import House
from runtime.settings import read
from runtime.sweep import sweeping

CITIZEN_DOMAIN = "patient.beta.example"
TEAM, DOCTOR = "cardio@medecins.beta.example", "anne.roche@medecins.beta.example"
NADIA, THOMAS = "nadia.benali@beta", "thomas.girard@beta"
RPPS, OTHER_RPPS = (f"100000000{n}{luhn_key(f'100000000{n}')}" for n in (1, 2))


class Operator:
    def __init__(self, config: Path) -> None:
        self.config = config

    def __call__(self, line: str, *more: str) -> Result:
        return CliRunner().invoke(app, [*line.split(), *more, "--config", str(self.config)])

    def done(self, line: str, *more: str) -> str:
        result = self(line, *more)
        assert result.exit_code == 0, result.output
        return result.stdout

    def facts(self, line: str, *more: str) -> Any:
        return json.loads(self.done(line, *more, "--json"))

    def refused(self, line: str, *more: str) -> str:
        result = self(line, *more)
        assert result.exit_code == 1, result.output
        return result.stderr

    def house(self) -> House:
        return House(read(self.config))

    def acts(self) -> list[tuple[str, dict[str, Any]]]:
        house = self.house()
        rows = house.db.read_now(lambda c: c.execute(select(audit.c.event, audit.c.details).order_by(audit.c.at)).all())
        assert house.db.read_now(verify) == []
        house.db.close_now()
        return [(row.event.removeprefix("operator:"), json.loads(row.details)) for row in rows]


@pytest.fixture
def mssante(operator: Path) -> Operator:
    return Operator(operator)


def make_team(mssante: Operator) -> dict[str, Any]:
    name = ("--name", "Service de cardiologie", "--person", "Dr Nadia Benali")
    facts: dict[str, Any] = mssante.facts(f"mailbox create {TEAM} --kind ORG --town Villefleur --login {NADIA}", *name)
    return facts


def make_doctor(mssante: Operator) -> None:
    mssante.done(f"mailbox create {DOCTOR} --kind PER --holder-id {RPPS} --name", "Dr Anne Roche")


def entry(mssante: Operator, address: str) -> directory.Entry | None:
    house = mssante.house()
    local, _, domain = address.partition("@")
    found = house.db.read_now(directory.get, Address(local, domain))
    house.db.close_now()
    return found


def deliver(mssante: Operator, address: str, content: bytes) -> None:
    import asyncio

    house = mssante.house()
    box = house.db.read_now(house.mailboxes.resolve, address)
    assert box is not None

    async def append() -> None:
        inbox = next(one for one in await house.store.folders(box.id) if one.name == "INBOX")
        spool = house.store.spool(box.id)
        spool.write(content)
        await house.store.append(inbox.id, [NewMessage(spool)])

    asyncio.run(append())
    house.db.close_now()


# -------------------------------------------------------------------- creating
def test_a_team_is_created_whole_with_its_holder_and_its_entry(mssante: Operator) -> None:
    made = make_team(mssante)
    assert (made["address"], made["kind"], made["login"], made["role"]) == (TEAM, "ORG", NADIA, "holder")
    assert len(made["password"]) >= 20
    shown = mssante.facts(f"mailbox show {TEAM}")
    assert (shown["state"], shown["members"], shown["name"]) == ("active", 1, "Service de cardiologie")
    found = entry(mssante, TEAM)
    assert found is not None
    assert found.town == "Villefleur"
    house = mssante.house()
    box = house.db.read_now(house.mailboxes.resolve, TEAM)
    house.db.close_now()
    assert box is not None
    assert mssante.acts() == [("mailbox:create", {"box": box.id, "kind": "ORG"}), ("mailbox:show", {"box": box.id})]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"mailbox create {TEAM.upper()} --kind ORG --name X", "adresse déjà donnée"),
        ("mailbox create a@ailleurs.example --kind PER --name X", "pas une adresse d’un domaine servi ici"),
        ("mailbox create a@medecins.beta.example --kind PER --name X --holder-id 12", "RPPS (11 chiffres) ou ADELI (9)"),
        ("mailbox create a@medecins.beta.example --kind PER --name X --holder-id 10999000011", "clé de ce numéro RPPS"),
        ("mailbox create a@medecins.beta.example --kind ORG --name X --holder-id 10999000010", "FINESS (9 caractères) ou SIRET"),
        ("mailbox create a@medecins.beta.example --kind ORG --name X --holder-id 990000112", "clé de ce numéro FINESS"),
        ("mailbox create a@medecins.beta.example --kind ORG --name X --holder-id 12345678901234", "clé de ce numéro SIRET"),
        ("mailbox create a@medecins.beta.example --kind PER --name X --quota beaucoup", "beaucoup"),
        ("mailbox create a@medecins.beta.example --kind PER --name X --certificate CN=a", "seule une boîte APP"),
        (f"mailbox create a@medecins.beta.example --kind ORG --name X --login {NADIA}", "identifiant déjà pris"),
    ],
)  # fmt: skip
def test_what_cannot_be_created_leaves_nothing(mssante: Operator, line: str, why: str) -> None:
    make_team(mssante)
    assert why in mssante.refused(line)
    assert [one["address"] for one in mssante.facts("mailbox list")] == [TEAM]
    assert [event for event, _ in mssante.acts()] == ["mailbox:create"]


def test_wrong_use(mssante: Operator, tmp_path: Path) -> None:
    assert mssante("mailbox create a@medecins.beta.example --kind XXX --name X").exit_code == 2
    assert mssante("mailbox create a@medecins.beta.example").exit_code == 2
    assert mssante("mailbox suspend").exit_code == 2
    assert mssante(f"mailbox suspend {TEAM} --file {tmp_path}/x.csv").exit_code == 2
    assert mssante(f"mailbox holder {TEAM}").exit_code == 2


def test_a_column_that_is_none_is_told_with_those_that_are(mssante: Operator, tmp_path: Path) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text("address;kind;name;couleur\nx@medecins.beta.example;ORG;X;bleu\n")
    wrong = mssante(f"mailbox create --file {file}")
    assert wrong.exit_code == 2
    assert "Colonne inconnue : couleur (possibles : address, kind, name, " in wrong.stderr


def test_many_by_file(mssante: Operator, tmp_path: Path) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text(
        "Address;kind;name;holder-id;login;red_list \n"
        f"{DOCTOR};PER;Dr Anne Roche;{RPPS};anne.roche@beta;oui\n"
        f"{TEAM};ORG;Cardiologie;;;\n"
        "x@medecins.beta.example;CIT;X;;;\n"
        f"y@medecins.beta.example;ORG;Y;;anne.roche@beta;\n"
        "z@medecins.beta.example;ORG;Z;;;\n"
    )
    tried = mssante(f"mailbox create --file {file} --dry-run")
    assert tried.exit_code == 1
    assert mssante.facts("mailbox list") == []
    result = mssante(f"mailbox create --file {file} --json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert [line["done"] for line in report] == [True, True, False, False, True]
    assert report[0]["password"]
    assert [one["address"] for one in mssante.facts("mailbox list")] == [DOCTOR, TEAM, "z@medecins.beta.example"]
    assert entry(mssante, DOCTOR) is None  # on the red list
    assert entry(mssante, TEAM) is not None
    # the line refused had begun to make a mailbox: the next one's key is its own
    deliver(mssante, "z@medecins.beta.example", b"Subject: a\r\n\r\nb\r\n")
    assert mssante.facts(f"mailbox export z@medecins.beta.example {tmp_path}/z.zip")["messages"] == 1


def test_lists_for_people_and_programs_leave_citizens_out(mssante: Operator) -> None:
    make_team(mssante)
    make_doctor(mssante)
    house = mssante.house()
    citizen = NewMailbox("279035121518989@patient.beta.example", BoxKind.CIT, profile=ProfileState.ACTIVATED)
    house.db.write_now(house.mailboxes.create, citizen, house.clock())
    house.db.close_now()
    assert "279035121518989" not in mssante.done("mailbox list")
    assert [one["kind"] for one in mssante.facts("mailbox list")] == ["ORG", "PER"]
    assert [one["address"] for one in mssante.facts("mailbox list --kind PER")] == [DOCTOR]
    assert mssante.facts("mailbox list --state closed") == []
    assert (
        mssante.done("mailbox list --csv").splitlines()[0] == "address,kind,state,name,red_list,used_percent,kept_until"
    )
    assert "holder" in mssante.done("mailbox list --lang en").splitlines()[0]
    ours = mssante.facts("domain list")[0]
    assert (ours["domain"], ours["active"], ours["PER"]) == ("medecins.beta.example", 2, 1)
    assert mssante.facts("domain show medecins.beta.example")["ORG"] == 1
    assert mssante("domain show x.example").exit_code == 1


# -------------------------------------------------------------------- life
def test_suspended_resumed_closed_and_opened_again(mssante: Operator) -> None:
    make_team(mssante)
    assert "reçoit encore" in mssante.done(f"mailbox suspend {TEAM}")
    assert mssante.done(f"mailbox suspend {TEAM} --refuse --lang en") == f"Suspended, refuses mail: {TEAM}\n"
    assert mssante.facts(f"mailbox show {TEAM}")["refuses"] is True
    assert "n’a été changé" in mssante.done(f"mailbox resume {TEAM} --dry-run")
    assert mssante.facts(f"mailbox show {TEAM}")["state"] == "suspended"
    mssante.done(f"mailbox resume {TEAM}")
    assert "déjà active" in mssante.refused(f"mailbox resume {TEAM}")
    assert "gardé scellé jusqu’au" in mssante.done(f"mailbox close {TEAM} --keep-days 30")
    assert entry(mssante, TEAM) is None
    assert "rouvrez-la" in mssante.refused(f"mailbox quota {TEAM} 1G")
    mssante.done(f"mailbox resume {TEAM}")
    shown = mssante.facts(f"mailbox show {TEAM}")
    assert (shown["state"], shown["refuses"], shown["kept_until"], shown["closed_at"]) == ("active", False, None, None)
    assert entry(mssante, TEAM) is not None
    verbs = [event for event, _ in mssante.acts() if event != "mailbox:show"]
    assert verbs == [f"mailbox:{verb}" for verb in ("create", "suspend", "suspend", "resume", "close", "resume")]


PATIENT = f"{demo_ins(1).value}@{CITIZEN_DOMAIN}"


def with_citizens(mssante: Operator) -> None:
    text = mssante.config.read_text(encoding="utf-8")
    mssante.config.write_text(
        text.replace("[operator]", f'[operator]\ncitizen_domain = "{CITIZEN_DOMAIN}"'), encoding="utf-8"
    )


def test_a_citizens_mailbox(mssante: Operator) -> None:
    """Its sign-in opens the pages and no mail client; it is in no directory and in no list."""
    with_citizens(mssante)
    more = "--private-email j@maison.example --birth-date 1946-05-12 --login jacqueline --name"
    made = mssante.facts(f"mailbox create {PATIENT} --kind CIT {more}", "Jacqueline Morel")
    assert made["password"]
    house = mssante.house()
    box = house.db.read_now(house.mailboxes.resolve, PATIENT)
    who = house.db.read_now(house.credentials.by_login, "jacqueline")
    assert box is not None
    assert who is not None
    assert (box.profile, box.holder.private_email, box.holder.birth_date) == (
        ProfileState.ACTIVATED, "j@maison.example", "1946-05-12",
    )  # fmt: skip
    assert who.scopes == {WEB}
    house.db.close_now()
    assert entry(mssante, PATIENT) is None
    assert mssante.facts("mailbox list") == []
    other = f"{demo_ins(2).value}@{CITIZEN_DOMAIN}"
    assert "pas encore activée" in mssante.done(f"mailbox create {other} --kind CIT --name Autre")
    for line, said in (
        (f"mailbox create x@{CITIZEN_DOMAIN} --kind PER --name X", "là seulement"),
        ("mailbox create x@medecins.beta.example --kind CIT --name X", "là seulement"),
        (f"mailbox create 123@{CITIZEN_DOMAIN} --kind CIT --name X", "INS"),
        (f"mailbox create {PATIENT} --kind CIT --name X", "déjà donnée"),
        (f"mailbox create {demo_ins(3).value}@{CITIZEN_DOMAIN} --kind CIT --name X --birth-date 12/5/46", "AAAA-MM-JJ"),
        (f"mailbox create {demo_ins(3).value}@{CITIZEN_DOMAIN} --kind CIT --name X --private-email x", "personnelle"),
    ):
        assert said in mssante.refused(line)


def test_the_private_address_of_who_cannot_sign_in_any_more(mssante: Operator) -> None:
    """Shown as the person would know it; in no trace."""
    with_citizens(mssante)
    make_team(mssante)
    make_doctor(mssante)
    mssante.done(f"mailbox create {PATIENT} --kind CIT --login jacqueline --name Jacqueline")
    for address in (PATIENT, DOCTOR):
        assert "j@maison.example" in mssante.done(f"mailbox private-email {address} j@maison.example")
        assert mssante.facts(f"mailbox show {address}")["private_email"] == "j…@maison.example"
    assert mssante.facts(f"mailbox show {DOCTOR}")["holder_id"] == RPPS
    assert "aucune" in mssante.done(f"mailbox private-email {DOCTOR}")
    assert "pas la boîte d’une personne" in mssante.refused(f"mailbox private-email {TEAM} j@maison.example")
    for wrong in ("maison", DOCTOR):
        assert "adresse personnelle, hors de" in mssante.refused(f"mailbox private-email {PATIENT} {wrong}")
    changed = [details for event, details in mssante.acts() if event == "mailbox:private_email"]
    assert [one["known"] for one in changed] == [True, True, False]
    assert "maison" not in str(mssante.acts())


def standing_at(now: int) -> Clock:
    return lambda: now


async def test_a_closed_mailbox_is_kept_then_its_key_is_destroyed(mssante: Operator) -> None:
    make_team(mssante)
    mssante.done(f"mailbox close {TEAM} --keep-days 30")
    house = mssante.house()
    now = house.clock()
    box = house.db.read_now(house.mailboxes.resolve, TEAM)
    assert box is not None
    opening = select(credentials.c.id).where(credentials.c.sealed_scram.is_not(None))  # the logins stay taken
    for days, erased in ((29, False), (31, True)):
        house.clock = standing_at(now + days * DAY)
        await sweeping(house)({}, None)  # type: ignore[arg-type]
        house.mailboxes.forget(box.id)
        then = house.db.read_now(house.mailboxes.get, box.id)
        assert then is not None
        assert then.erased is erased
        assert bool(house.db.read_now(lambda c: c.execute(opening).all())) is not erased
        assert bool(house.db.read_now(lambda c: c.execute(select(folders.c.id)).all())) is not erased
    await house.close()
    assert mssante.facts("mailbox list --state erased")[0]["name"] == ""
    assert "clé est détruite" in mssante.refused(f"mailbox resume {TEAM}")
    assert "adresse déjà donnée" in mssante.refused(f"mailbox create {TEAM} --kind ORG --name X")
    assert mssante.acts()[-1] == ("system:mailbox:erase", {"box": box.id})


def test_closing_exports_first_and_writes_over_nothing(mssante: Operator, tmp_path: Path) -> None:
    make_team(mssante)
    deliver(mssante, TEAM, b"Subject: a\r\n\r\nB\xe9la\r\n")
    to = tmp_path / "mail.zip"
    mssante.done(f"mailbox close {TEAM} --export {to} --dry-run")
    assert not to.exists()
    mssante.done(f"mailbox close {TEAM} --export {to}")
    assert to.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(to) as archive:
        assert archive.read("INBOX/00000001.eml") == b"Subject: a\r\n\r\nB\xe9la\r\n"
        assert archive.read("index.csv").startswith(
            b"file,folder,uid,received_at,flags,octets\r\nINBOX/00000001.eml,INBOX,1,"
        )
    assert "mail.zip" in mssante.refused(f"mailbox export {TEAM} {to}")
    assert "fichier ou dossier absent" in mssante.refused(f"mailbox export {TEAM} {to.parent}/none/mail.zip")
    assert [event for event, _ in mssante.acts()] == ["mailbox:create", "mailbox:export", "mailbox:close"]


def test_the_holder_changes_but_never_the_person(mssante: Operator) -> None:
    make_doctor(mssante)
    mssante.done(f"mailbox holder {DOCTOR} --town Montclair --name", "Dr Anne Roche-Vidal")
    found = entry(mssante, DOCTOR)
    assert found is not None
    assert (found.display_name, found.town) == ("Dr Anne Roche-Vidal", "Montclair")
    assert "autre personne" in mssante.refused(f"mailbox holder {DOCTOR} --holder-id {OTHER_RPPS}")
    assert mssante.facts(f"mailbox show {DOCTOR}")["holder_id"] == RPPS
    assert dict(mssante.acts())["mailbox:holder"]["fields"] == ["display_name", "town"]


def test_holders_change_by_file(mssante: Operator, tmp_path: Path) -> None:
    """An empty cell changes nothing; a line refused leaves the others."""
    make_doctor(mssante)
    make_team(mssante)
    before, team = entry(mssante, DOCTOR), entry(mssante, TEAM)
    file = tmp_path / "holders.csv"
    file.write_text(
        "address;town;phone;holder-id\n"
        f"{DOCTOR};Montclair;;\n"
        f"{TEAM};Hautbourg;01 99 00 10 10;12\n"
        f"{TEAM};;;\n"
        "nobody@medecins.beta.example;Hautbourg;;\n"
    )
    result = mssante(f"mailbox holder --file {file} --json")
    report = json.loads(result.stdout)
    assert (result.exit_code, [one["done"] for one in report]) == (1, [True, False, False, False])
    assert [
        why in one["text"] for why, one in zip(("FINESS", "rien à changer", "inconnue"), report[1:], strict=True)
    ] == [True] * 3
    assert before is not None
    assert entry(mssante, DOCTOR) == replace(before, town="Montclair")
    assert entry(mssante, TEAM) == team
    assert mssante(f"mailbox holder {TEAM} --file {file}").exit_code == 2
    assert mssante("mailbox holder --town Montclair").exit_code == 2


def test_red_list_and_quota(mssante: Operator) -> None:
    make_team(mssante)
    mssante.done(f"mailbox red-list {TEAM} on")
    assert entry(mssante, TEAM) is None
    mssante.done(f"mailbox red-list {TEAM} off")
    assert entry(mssante, TEAM) is not None
    deliver(mssante, TEAM, b"Subject: a\r\n\r\n" + b"x" * 3000 + b"\r\n")
    assert mssante.facts(f"mailbox quota {TEAM} 2Go")["octets"] == 2_000_000_000
    assert "rien n’est jamais effacé" in mssante.refused(f"mailbox quota {TEAM} 2k")
    assert mssante.facts(f"mailbox show {TEAM}")["quota_octets"] == 2_000_000_000


def test_a_program_is_bound_to_its_organisations_certificate(mssante: Operator) -> None:
    lab = "resultats@medecins.beta.example"
    mssante.done(
        f"mailbox create {lab} --kind APP --name Labo --certificate", "CN=labo,O=Laboratoire des Tilleuls,C=FR"
    )
    house = mssante.house()
    same = dn.parse("cn=LABO, o=laboratoire  des tilleuls, c=fr")
    assert [box.address.text for box in house.db.read_now(house.mailboxes.bound_to, same)] == [lab]
    assert house.db.read_now(house.mailboxes.bound_to, dn.parse("CN=autre,C=FR")) == []
    house.db.close_now()
    assert "pas un nom de certificat" in mssante.refused(f"mailbox certificate {lab} labo")
    mssante.done(f"mailbox certificate {lab}")
    assert mssante.facts(f"mailbox show {lab}")["certificate"] == ""
    make_team(mssante)
    assert "seule une boîte APP" in mssante.refused(f"mailbox certificate {TEAM} CN=a")


# -------------------------------------------------------------------- members
def test_members_of_a_team(mssante: Operator) -> None:
    make_team(mssante)
    assert mssante.facts(f"mailbox members add {TEAM} {THOMAS} --person Thomas")["role"] == "member"
    mssante.done(f"mailbox members role {TEAM} {THOMAS} reader")
    assert "plus de titulaire" in mssante.refused(f"mailbox members role {TEAM} {NADIA} member")
    assert "plus de titulaire" in mssante.refused(f"mailbox members suspend {TEAM} {NADIA}")
    assert mssante.done(f"mailbox members suspend {TEAM} {THOMAS.upper()}") == f"{THOMAS} : lecteur, suspendu\n"
    mssante.done(f"mailbox members resume {TEAM} {THOMAS}")
    mssante.done(f"mailbox members remove {TEAM} {THOMAS}")
    assert "n’a pas d’accès ici" in mssante.refused(f"mailbox members resume {TEAM} {THOMAS}")
    assert "déjà pris" in mssante.refused(f"mailbox members add {TEAM} {THOMAS}")
    assert [(one["login"], one["role"], one["state"]) for one in mssante.facts(f"mailbox members list {TEAM}")] == [
        (NADIA, "holder", "active"), (THOMAS, "reader", "revoked"),
    ]  # fmt: skip
    states = [details.get("state") for event, details in mssante.acts() if event == "mailbox:members"]
    assert states[1:] == ["active", "paused", "active", "revoked"]


def test_a_member_is_known_to_the_openid_provider(mssante: Operator) -> None:
    """By their RPPS number, as Pro Santé Connect writes it or without its « 8 »; until it is taken away."""
    make_team(mssante)
    mssante.done(f"mailbox members add {TEAM} {THOMAS} --person Thomas")
    rpps = "1099000001" + luhn_key("1099000001")

    def opened(name: str, login: str) -> str | None:
        house = mssante.house()
        who = house.db.read_now(house.credentials.held_by, name, login)
        house.db.close_now()
        return None if who is None else who.address

    assert opened("8" + rpps, THOMAS) is None
    assert rpps in mssante.done(f"mailbox members subject {TEAM} {THOMAS} {rpps}")
    assert opened("8" + rpps, THOMAS) == opened(rpps, THOMAS) == TEAM
    assert opened(rpps, "") is None  # a team's mailbox is opened by its name
    assert opened("8" + rpps, NADIA) is None
    assert "n’a pas d’accès ici" in mssante.refused(f"mailbox members subject {TEAM} personne {rpps}")
    assert rpps not in json.dumps(mssante.acts())
    assert "aucun numéro RPPS" in mssante.done(f"mailbox members subject {TEAM} {THOMAS}")
    assert opened("8" + rpps, THOMAS) is None


def test_a_neighbours_member_is_nobody_here(mssante: Operator) -> None:
    make_team(mssante)
    make_doctor(mssante)
    assert "n’a pas d’accès ici" in mssante.refused(f"mailbox members remove {DOCTOR} {NADIA}")
    mssante.done(f"mailbox members add {DOCTOR} anne@beta --role holder")
    assert "une seule le peut" in mssante.refused(f"mailbox members add {DOCTOR} autre@beta --role holder")


def test_no_password_address_or_name_in_the_audit_trail(mssante: Operator) -> None:
    password = make_team(mssante)["password"]
    mssante.done(f"mailbox members add {TEAM} {THOMAS} --person Thomas")
    mssante.done(f"mailbox holder {TEAM} --town Montclair")
    trail = json.dumps(mssante.acts())
    for secret in (password, "cardio", "nadia", "thomas", "Montclair", "Service"):
        assert secret not in trail
