"""Everybody in the demo, as data. All invented: `.example` domains (RFC 2606), identifiers with right keys but never issued.

INS numbers are built on the INSEE place code 99999, which no one is born in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mssante.identity import demo_ins, luhn_key
from mssante.kinds import BoxKind, ProfileState
from mssante.rights import Role

CITIZEN_DOMAIN = "patient.example"


@dataclass(frozen=True, slots=True)
class Member:
    """Someone who signs in to a box, under their own name and with a login of their own."""

    name: str
    login: str
    role: Role = Role.HOLDER
    number: str = ""  # RPPS: with it they see this box from their own too


@dataclass(frozen=True, slots=True)
class Professional:
    role: str  # short name in var/demo.json, for scripts
    kind: BoxKind
    name: str  # as shown to the patient
    address: str
    holder_id: str  # RPPS, FINESS or SIRET
    profession: str
    town: str
    phone: str
    members: tuple[Member, ...] = ()
    sector: str | None = None


@dataclass(frozen=True, slots=True)
class Citizen:
    role: str
    name: str
    ins: str
    birth_date: str
    login: str
    profile: ProfileState
    private_email: str
    children: tuple[str, ...] = field(default=())  # their roles

    @property
    def address(self) -> str:
        return f"{self.ins}@{CITIZEN_DOMAIN}"


@dataclass(frozen=True, slots=True)
class Operator:
    key: str  # folder below var/, host mail.<key>.example
    name: str
    structure: str  # OU of the certificate: 1+FINESS or 3+SIRET
    domains: tuple[str, ...]
    citizen_domain: str | None
    professionals: tuple[Professional, ...]
    citizens: tuple[Citizen, ...] = ()

    @property
    def host(self) -> str:
        return f"mail.{self.key}.example"

    @property
    def all_domains(self) -> tuple[str, ...]:
        return self.domains + ((self.citizen_domain,) if self.citizen_domain else ())


def _luhn(stem: str) -> str:
    return stem + luhn_key(stem)


def _rpps(serial: int) -> str:
    return _luhn(f"1099{serial:06d}")


def _per(role: str, name: str, address: str, serial: int, profession: str, town: str, phone: str) -> Professional:
    return Professional(
        role, BoxKind.PER, name, address, _rpps(serial), profession, town, phone, (Member(name, address),)
    )


ALPHA = Operator(
    key="alpha",
    name="Opérateur Alpha",
    structure="1" + _luhn("99000001"),
    domains=("medecins.alpha.example", "chu.alpha.example", "labo.alpha.example", "pharmacie.alpha.example"),
    citizen_domain=CITIZEN_DOMAIN,
    professionals=(
        _per(
            "medecin",
            "Dr Camille Roche",
            "camille.roche@medecins.alpha.example",
            1,
            "Médecin généraliste",
            "Villefleur",
            "01 99 00 10 10",
        ),
        Professional(
            "cardiologie",
            BoxKind.ORG,
            "Service de cardiologie, CHU de Villefleur",
            "cardiologie@chu.alpha.example",
            _luhn("99000011"),
            "Cardiologie",
            "Villefleur",
            "01 99 00 20 20",
            (
                Member("Dr Nadia Benali", "nadia.benali@chu.alpha.example", number=_rpps(3)),
                Member("Thomas Girard, infirmier", "thomas.girard@chu.alpha.example", Role.MEMBER),
            ),
        ),
        Professional(
            "laboratoire",
            BoxKind.APP,
            "Laboratoire des Tilleuls",
            "resultats@labo.alpha.example",
            _luhn("99000021"),
            "Laboratoire de biologie médicale",
            "Villefleur",
            "01 99 00 30 30",
            (Member("Envoi automatique des résultats", "resultats@labo.alpha.example"),),
            sector="SA25",
        ),
        Professional(
            "pharmacie",
            BoxKind.ORG,
            "Pharmacie du Marché",
            "officine@pharmacie.alpha.example",
            _luhn("99000031"),
            "Pharmacie",
            "Villefleur",
            "01 99 00 40 40",
            (
                Member("Inès Caron, pharmacienne", "ines.caron@pharmacie.alpha.example"),
                Member("Malo Riou, préparateur", "malo.riou@pharmacie.alpha.example", Role.MEMBER),
            ),
            sector="SA33",
        ),
        _per(
            "cardiologue",
            "Dr Nadia Benali",
            "nadia.benali@medecins.alpha.example",
            3,
            "Cardiologue",
            "Villefleur",
            "01 99 00 20 21",
        ),
    ),
    citizens=(
        Citizen(
            "jacqueline",
            "Jacqueline Morel",
            demo_ins(1, sex=2, birth_year=1946, birth_month=5).value,
            "1946-05-14",
            "jacqueline.morel",
            ProfileState.ACTIVATED,
            "jacqueline@courrier.example",
        ),
        Citizen(
            "sarah",
            "Sarah Lambert",
            demo_ins(2, sex=2, birth_year=1987, birth_month=9).value,
            "1987-09-02",
            "sarah.lambert",
            ProfileState.ACTIVATED,
            "sarah@courrier.example",
            ("louise", "hugo"),
        ),
        Citizen(
            "louise",
            "Louise Lambert",
            demo_ins(3, sex=2, birth_year=2016, birth_month=1).value,
            "2016-01-20",
            "",
            ProfileState.ACTIVATED,
            "",
        ),
        Citizen(
            "hugo",
            "Hugo Lambert",
            demo_ins(4, sex=1, birth_year=2019, birth_month=11).value,
            "2019-11-08",
            "",
            ProfileState.ACTIVATED,
            "",
        ),
        Citizen(
            "paul",
            "Paul Garnier",
            demo_ins(5, sex=1, birth_year=1961, birth_month=2).value,
            "1961-02-27",
            "",
            ProfileState.NOT_ACTIVATED,
            "paul@courrier.example",
        ),
        Citizen(
            "denise",
            "Denise Faure",
            demo_ins(6, sex=2, birth_year=1953, birth_month=7).value,
            "1953-07-30",
            "",
            ProfileState.OPPOSED,
            "",
        ),
    ),
)

BETA = Operator(
    key="beta",
    name="Opérateur Bêta",
    structure="1" + _luhn("99000002"),
    domains=("medecins.beta.example",),
    citizen_domain=None,
    professionals=(
        _per(
            "confrere",
            "Dr Antoine Vidal",
            "antoine.vidal@medecins.beta.example",
            2,
            "Cardiologue",
            "Montclair",
            "01 99 00 50 50",
        ),
    ),
)

OPERATORS = (ALPHA, BETA)

BENCH_SENDER = "bench@operator.example"
BENCH_BOXES = 20
