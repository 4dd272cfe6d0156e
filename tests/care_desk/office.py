"""Two professionals and a team of an invented operator, with the account's pages and real credentials."""

from __future__ import annotations

import re
from pathlib import Path

import pyotp

from care_desk import app as desk
from care_desk import deps as desk_deps
from care_desk.account import app, people
from care_desk.account.deps import Deps
from care_desk.directory import app as directory_app
from care_desk.directory import deps as directory_deps
from care_desk.team import app as team_app
from care_desk.team import deps as team_deps
from foundation.audit import Audit
from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs
from foundation.database import Database, Transaction, metadata
from foundation.jobs import Jobs
from foundation.keys import KeyRing
from foundation.web.kit import Web
from health_space.accounts import chrome, password_mail
from health_space.accounts.by_password import PageSignIn
from health_space.accounts.password_mail import PasswordMail
from mailserver.store.sql import SqlMailStore
from mssante import one_time
from mssante.ceremonies import RelyingParty
from mssante.ciba import Backchannel
from mssante.credentials import Credentials, NewCredential
from mssante.identity import demo_ins, luhn_key
from mssante.kinds import BoxKind, ProfileState
from mssante.mailbox import Holder, NewMailbox
from mssante.mailboxes import Mailboxes
from mssante.openid_code import CodeFlow
from mssante.passwords import hash_password
from tests.care_desk.mail_settings import TABLE
from tests.support.web import Answer, Visitor

PASSWORD = "cheval correct"
PASSWORD_HASH = hash_password(PASSWORD, None)
CAMILLE_RPPS, NADIA_RPPS = (f"109900000{n}{luhn_key(f'109900000{n}')}" for n in (1, 2))
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ACCOUNT, SIGN_IN, APPLICATION = "/mon-compte", "/mon-compte/connexion", "/mon-compte/application"


class Office:
    """camille has an authenticator, antoine a private address, nadia (of a team) neither; jacqueline is a citizen."""

    def __init__(
        self,
        folder: Path,
        party: RelyingParty | None = None,
        phone: Backchannel | None = None,
        code: CodeFlow | None = None,
    ) -> None:
        self.now = 1_794_472_800_000
        self.sent: list[tuple[str, str, str]] = []
        self.told: list[tuple[int, str]] = []  # whose mailbox, what a notice to it says
        self.db = Database(f"sqlite:///{folder}/office.db")
        metadata.create_all(self.db.engine)
        self.keys = KeyRing(bytes(range(32)))
        self.boxes = Mailboxes(self.keys)
        self.credentials = Credentials(self.db, self.keys, self.boxes)
        self.credentials.listen()
        self.ids: dict[str, int] = {}
        self.db.write_now(self._people)
        parts = (self.db, self.keys, self.boxes, self.credentials)
        clock = lambda: self.now  # noqa: E731
        web = Web(
            self.db,
            self.keys,
            people.web_settings(https=False),
            {"accounts": chrome.TEMPLATES, "care_desk": desk.TEMPLATES},
            people.NAV,
            people.around(self.credentials),
            clock,
        )
        self.web = web
        audit = Audit(clock)
        tell = lambda tx, credential, what: self.told.append((credential, what))  # noqa: E731
        blocked = people.blocked_passkey(audit, tell)
        self.jobs = Jobs(self.db, self.keys, clock)
        self.jobs.handle(password_mail.KIND, PasswordMail(self.db, self.credentials, self.boxes, self.send))
        renewed = password_mail.promised(self.jobs, people.renewed_password(audit, tell))
        sign_in = PageSignIn(*parts, people.professionals, clock, party, blocked, renewed)
        account = Deps(
            web,
            self.db,
            self.keys,
            audit,
            self.credentials,
            sign_in,
            self.send,
            "Opérateur Alpha",
            tell,
            party,
            phone,
            code,
        )
        self.store = SqlMailStore(
            self.db, self.keys, Blobs(FolderFiles(folder / "blobs"), clock), self.boxes, clock=clock
        )
        shared = team_deps.Deps(web, self.db, self.credentials, self.boxes, self.store)
        self.app = web.app(
            [
                *app.routes(account),
                *team_app.routes(shared),
                *directory_app.routes(directory_deps.Deps(web, self.db, self.credentials)),
                *desk.routes(desk_deps.Deps(web, TABLE, self.db, self.credentials)),
            ]
        )

    def _people(self, tx: Transaction) -> None:
        for login, address, kind, holder, profile in (
            ("camille", "camille.roche@alpha.example", BoxKind.PER, Holder("Dr Camille Roche", CAMILLE_RPPS), None),
            (
                "antoine",
                "antoine.vidal@alpha.example",
                BoxKind.PER,
                Holder("Dr Vidal", private_email="a@b.example"),
                None,
            ),
            (
                "nadia",
                "cardiologie@alpha.example",
                BoxKind.ORG,
                Holder("Cardiologie", private_email="x@b.example"),
                None,
            ),
            (
                "jacqueline",
                f"{demo_ins(1).value}@patient.example",
                BoxKind.CIT,
                Holder("Jacqueline"),
                ProfileState.ACTIVATED,
            ),
        ):
            box = self.boxes.create(tx, NewMailbox(address, kind, holder, profile), self.now)
            new = NewCredential(box.id, login, f"{login.title()} Exemple", PASSWORD_HASH)
            self.ids[login] = self.credentials.add(tx, new, self.now)
        one_time.enrol_totp(tx, self.keys, self.ids["camille"], SECRET)

    async def send(self, to: str, subject: str, text: str) -> None:
        self.sent.append((to, subject, text))

    def totp(self, secret: str = SECRET) -> str:
        self.now += 31_000  # a code serves once
        return pyotp.TOTP(secret).at(self.now // 1000)

    # ---------------------------------------------------------------- what a professional does
    async def password_step(self, visitor: Visitor, login: str, password: str = PASSWORD) -> Answer:
        return await visitor.post(SIGN_IN, {"identifiant": login, "mot_de_passe": password})

    async def enter(self, visitor: Visitor, login: str = "camille") -> Answer:
        code_page = await self.password_step(visitor, login)
        if code_page.location == APPLICATION:
            return await self.enrol(visitor)
        assert code_page.location == f"{SIGN_IN}/code"
        code = self.totp() if login == "camille" else re.findall(r"\d{6}", self.sent[-1][2])[0]
        return await visitor.post(f"{SIGN_IN}/code", {"code": code})

    async def enrol(self, visitor: Visitor) -> Answer:
        page = await visitor.get(APPLICATION)
        shown = page.first("textarea#cle")
        self.secret = shown.text().replace(" ", "")
        return await visitor.post(APPLICATION, {"code": self.totp(self.secret)})

    async def create(self, visitor: Visitor, name: str = "Thunderbird", **uses: str) -> str:
        """The password as it is shown."""
        page = await visitor.post(ACCOUNT, {"nom": name, **(uses or {"imap": "oui", "submission": "oui"})})
        field = page.tree.css_first("input#secret")
        assert field is not None, page.words
        return field.attributes["value"] or ""
