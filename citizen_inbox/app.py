"""The citizen's pages as routes; `runtime` adds those of accounts and of the health space, and makes the site with `Web.app`."""

from __future__ import annotations

from pathlib import Path

from starlette.routing import Route

from citizen_inbox.conversations import unread_conversations as unread
from citizen_inbox.deps import Deps
from citizen_inbox.routes import TABLE

__all__ = ["TEMPLATES", "routes", "unread"]  # `unread(conn, box)`: for the number beside « Messagerie »

TEMPLATES = Path(__file__).parent / "templates"  # prefix "citizen_inbox" in Web(templates=…)


def routes(deps: Deps) -> list[Route]:
    return deps.web.routes(TABLE, deps)
