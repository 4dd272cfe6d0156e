"""The site: the kit, and each package's table of pages (citizens', and the settings page of professionals)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

import care_desk.account.app
import care_desk.account.deps
import care_desk.app
import care_desk.carddav.app
import care_desk.deps
import care_desk.directory.app
import care_desk.directory.deps
import care_desk.team.app
import care_desk.team.deps
import citizen_inbox.app
import citizen_inbox.deps
import health_space.accounts.app
import health_space.accounts.deps
import health_space.app
import health_space.deps
from care_desk.account import people
from care_desk.account.deps import Tell
from citizen_inbox.conversations import unread_conversations
from foundation.database import Transaction
from foundation.web.kit import Web
from foundation.web.site import WebSettings
from health_space.accounts import chrome
from health_space.accounts.by_password import PageSignIn, citizens
from health_space.accounts.password_mail import promised
from health_space.accounts.port import Send
from health_space.dossier.readers import Readers
from health_space.notices import operations as notices
from mailserver.correspondents import correspondents
from mailserver.delivery.api import Acceptor
from mailserver.delivery.notices import promise_account_notice
from mssante import credentials
from mssante.ceremonies import RelyingParty
from mssante.devices import Door
from runtime import settings
from runtime.house import House
from runtime.mail_doors import mail_doors, profile_signer
from runtime.sign_in import MailSignIn


def site(house: House, acceptor: Acceptor, readers: Readers, send: Send) -> Starlette:
    """`send` writes to private addresses; `readers` open hostile files in processes of their own."""

    def name_of(conn: Connection, box_id: int) -> str:
        box = house.mailboxes.get(conn, box_id)
        return box.holder.display_name if box is not None else ""

    badges = {
        "/messagerie": lambda conn, box: unread_conversations(conn, box),
        "/notifications": lambda conn, box: notices.unread(conn, [box]),
    }
    web = Web(
        house.db,
        house.keys,
        web_settings(house.settings.web),
        {
            "accounts": chrome.TEMPLATES,
            **health_space.app.TEMPLATES,
            "citizen_inbox": citizen_inbox.app.TEMPLATES,
        },
        chrome.NAV,
        chrome.around(name_of, badges),
        house.clock,
    )
    parts = (house.db, house.keys, house.mailboxes, house.credentials)
    sign_in = PageSignIn(*parts, citizens, house.clock, renewed=promised(house.jobs, _renewed(house)))
    return web.app(
        [
            Route("/", _home),
            Route("/livez", _alive),
            *health_space.accounts.app.routes(health_space.accounts.deps.Deps(web, sign_in, send)),
            *_professionals(house, send),
            *citizen_inbox.app.routes(
                citizen_inbox.deps.Deps(
                    web=web,
                    db=house.db,
                    keys=house.keys,
                    blobs=house.blobs,
                    store=house.store,
                    acceptor=acceptor,
                    mailboxes=house.mailboxes,
                    exchanges=house.exchanges,
                    readers=readers,
                    jobs=house.jobs,
                    clock=house.clock,
                )
            ),
            *health_space.app.routes(
                health_space.deps.Deps(
                    web=web,
                    db=house.db,
                    keys=house.keys,
                    blobs=house.blobs,
                    readers=readers,
                    audit=house.audit,
                    send_prescription="/ordonnance/{document}/pharmacie",
                    antivirus=house.antivirus,
                    unscanned=house.settings.antivirus.when_absent == "accept",
                )
            ),
        ]
    )


def _professionals(house: House, send: Send) -> list[Route]:
    """Their sessions are their own: nobody passes from one side to the other."""
    own, parts = house.settings, (house.db, house.keys, house.mailboxes, house.credentials)
    web = Web(
        house.db,
        house.keys,
        people.web_settings(_https(own.web), own.web.help, _origin(own.web)),
        {"accounts": chrome.TEMPLATES, "care_desk": care_desk.app.TEMPLATES},
        people.NAV,
        people.around(house.credentials),
        house.clock,
    )
    party = _relying_party(own)
    tell = _telling(house)
    blocked = people.blocked_passkey(house.audit, tell)
    renewed = promised(house.jobs, people.renewed_password(house.audit, tell))
    sign_in = PageSignIn(*parts, people.professionals, house.clock, party, blocked, renewed)
    account = care_desk.account.deps.Deps(
        web,
        house.db,
        house.keys,
        house.audit,
        house.credentials,
        sign_in,
        send,
        own.operator.name,
        tell,
        party,
        house.phone,
        house.code_flow,
    )
    mail = MailSignIn(
        house.db,
        house.credentials,
        house.mailboxes,
        house.clock,
        credentials.IMAP,
        house.tokens,
        devices=(house.devices, Door.CARDDAV),
    )
    return [
        *care_desk.app.routes(
            care_desk.deps.Deps(web, mail_doors(own), house.db, house.credentials, profile_signer(own.web))
        ),
        *care_desk.account.app.routes(account),
        *care_desk.team.app.routes(
            care_desk.team.deps.Deps(web, house.db, house.credentials, house.mailboxes, house.store)
        ),
        *care_desk.directory.app.routes(care_desk.directory.deps.Deps(web, house.db, house.credentials)),
        *care_desk.carddav.app.routes(
            care_desk.carddav.app.Deps(
                house.db, house.mailboxes, mail, partial(correspondents, house.store), _https(own.web), house.clock
            )
        ),
    ]


def _renewed(house: House) -> Callable[[Transaction, int, int], None]:
    """Of a citizen."""

    def renewed(tx: Transaction, credential: int, recovery: int) -> None:
        house.audit.record(tx, "account:password:recover", f"credential {credential}", {"recovery": recovery})

    return renewed


def _telling(house: House) -> Tell:
    promise = promise_account_notice(house.jobs)

    def tell(tx: Transaction, credential: int, what: str) -> None:
        if (who := house.credentials.of(tx.conn, credential)) is not None:
            promise(tx, who.box_id, what)

    return tell


def _relying_party(own: settings.Settings) -> RelyingParty | None:
    """None: no passkeys. Browsers make them for a domain, not for an IP address, and over HTTPS (or on localhost)."""
    origin, host = _origin(own.web), own.web.host
    secure = origin.startswith("https:") or host == "localhost" or host.endswith(".localhost")
    if not host or not secure or ":" in host or host.replace(".", "").isdigit():
        return None
    return RelyingParty(own.web.passkey_domain or host, own.operator.name, origin)


def web_settings(web: settings.Web) -> WebSettings:
    return WebSettings(origin=_origin(web), https=_https(web), help=web.help, banners=chrome.BANNERS)


def _origin(web: settings.Web) -> str:
    """As a browser writes it (Fetch standard, Origin); empty: none is set."""
    url = urlsplit(web.origin.lower())
    return f"{url.scheme}://{url.netloc}" if url.netloc else ""


def _https(web: settings.Web) -> bool:
    return web.origin.startswith("https://") or web.certificate is not None


async def _home(_request: Request) -> Response:
    return RedirectResponse("/accueil", 303)


async def _alive(_request: Request) -> Response:
    """For the container's health check: the loop turns."""
    return PlainTextResponse("ok\n")
