"""The site: the kit, and each package's table of pages (citizens', and the settings page of professionals)."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

import care_desk.app
import care_desk.deps
import citizen_inbox.app
import citizen_inbox.deps
import health_space.accounts.app
import health_space.accounts.deps
import health_space.app
import health_space.deps
from citizen_inbox.conversations import unread_conversations
from foundation.web.kit import Web, WebSettings
from health_space.accounts import chrome
from health_space.accounts.citizens import CitizenSignIn
from health_space.accounts.port import Send
from health_space.dossier.readers import Readers
from health_space.notices import operations as notices
from mailserver.delivery.api import Acceptor
from runtime import settings
from runtime.house import House
from runtime.mail_doors import mail_doors, profile_signer


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
            "care_desk": care_desk.app.TEMPLATES,
        },
        chrome.NAV,
        chrome.around(name_of, badges),
        house.clock,
    )
    sign_in = CitizenSignIn(house.db, house.keys, house.mailboxes, house.credentials, house.clock)
    return web.app(
        [
            Route("/", _home),
            Route("/livez", _alive),
            *health_space.accounts.app.routes(health_space.accounts.deps.Deps(web, sign_in, send)),
            *care_desk.app.routes(
                care_desk.deps.Deps(web, mail_doors(house.settings), profile_signer(house.settings.web))
            ),
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
                )
            ),
        ]
    )


def web_settings(web: settings.Web) -> WebSettings:
    return WebSettings(https=web.origin.startswith("https://") or web.certificate is not None, help=web.help)


async def _home(_request: Request) -> Response:
    return RedirectResponse("/accueil", 303)


async def _alive(_request: Request) -> Response:
    """For the container's health check: the loop turns."""
    return PlainTextResponse("ok\n")
