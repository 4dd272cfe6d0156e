"""« Connexions »: the browsers and mail clients that came in to this account, each to be sent away, or all of them."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from care_desk.account.deps import Deps
from care_desk.account.people import HOME
from foundation.database import Transaction
from foundation.web import errors, french, sessions
from foundation.web.sessions import Session
from foundation.web.site import Link
from foundation.web.visit import Visit
from mssante import app_passwords, devices
from mssante.devices import Device, Door, Way

PAGE = f"{HOME}/connexions"
BANNERS = {
    "deconnecte": "C'est fait. Cette connexion est terminée.",
    "partout": "C'est fait. Il ne reste que ce navigateur.",
}
DOORS = {
    Door.IMAP: "Lit les messages",
    Door.SUBMISSION: "Envoie des messages",
    Door.LDAP: "Cherche des adresses",
    Door.CARDDAV: "Cherche des adresses",
}
WAYS = {Way.OWN: " avec votre mot de passe", Way.TOKEN: " par Pro Santé Connect"}


@dataclass(frozen=True, slots=True)
class Program:
    """A mail client as shown. `app`: the application password that it uses, 0 for none."""

    id: int
    title: str
    does: str
    place: str
    first_at: int
    last_at: int
    app: int


async def page(visit: Visit, deps: Deps) -> Response:
    """GET /mon-compte/connexions."""
    mine = visit.signed_in
    realm = sessions.realm_of(mine.id)
    browsers = await deps.db.read(sessions.of, deps.keys, visit.person, realm, visit.now)
    here = sessions.handle(mine.id)
    return visit.render(
        "care_desk/account/connections.html",
        "Vos connexions",
        back=Link(HOME, "Mon compte"),
        banner=french.typeset(BANNERS.get(visit.query("fait"), "")),
        browsers=sorted(browsers, key=lambda one: one.handle != here),
        here=here,
        programs=await _programs(visit, deps),
    )


async def end_browser(visit: Visit, deps: Deps) -> Response:
    """POST /mon-compte/connexions/navigateurs/{handle}: at once, nothing is lost by it."""
    handle = str(visit.request.path_params["handle"])
    if not await deps.db.write(_end_browser, deps, visit.signed_in, handle):
        raise errors.not_found()
    return visit.redirect(PAGE, "deconnecte")


def _end_browser(tx: Transaction, deps: Deps, mine: Session, handle: str) -> bool:
    ended = sessions.end_one(tx, mine.person, sessions.realm_of(mine.id), handle)
    if ended:
        deps.audit.record(tx, "account:session:end", f"credential {mine.person}")
    return ended


async def end_program(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/connexions/logiciels/{device}: for one that has no application password to take away."""
    wanted = visit.number("device")
    one = next((each for each in await _programs(visit, deps) if each.id == wanted and not each.app), None)
    if one is None:
        raise errors.not_found()
    if visit.request.method == "POST":
        if not await deps.db.write(_end_program, deps, visit.person, one.id, visit.now):
            raise errors.not_found()
        return visit.redirect(PAGE, "deconnecte")
    back = Link(PAGE, "Vos connexions")
    return visit.render("care_desk/account/end_program.html", f"Déconnecter « {one.title} »", back=back, one=one)


def _end_program(tx: Transaction, deps: Deps, credential: int, device: int, now: int) -> bool:
    if not devices.forget(tx, credential, device):
        return False
    devices.sign_out(tx, credential, now)
    deps.audit.record(tx, "account:device:end", f"credential {credential}", {"device": device})
    return True


async def everywhere(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/connexions/partout: all but this browser."""
    if visit.request.method == "POST":
        apps = visit.form.get("mots_de_passe") == "oui"
        await deps.db.write(_everywhere, deps, visit.signed_in, apps, visit.now)
        return visit.redirect(PAGE, "partout")
    back = Link(PAGE, "Vos connexions")
    return visit.render("care_desk/account/everywhere.html", "Déconnecter partout", back=back)


def _everywhere(tx: Transaction, deps: Deps, mine: Session, apps: bool, now: int) -> None:
    sessions.end_all(tx, mine.person, sessions.realm_of(mine.id), but=mine)
    devices.sign_out(tx, mine.person, now)
    removed = app_passwords.remove_all(tx, mine.person) if apps else 0
    for one in devices.of(tx.conn, deps.keys, mine.person):
        devices.forget(tx, mine.person, one.id)
    details = {"app_passwords": removed}
    deps.audit.record(tx, "account:everywhere:end", f"credential {mine.person}", details)
    deps.tell(tx, mine.person, "everywhere")


async def _programs(visit: Visit, deps: Deps) -> list[Program]:
    """Of an application password that is gone, nothing is left to say."""
    apps = {one.id: one.name for one in await deps.db.read(app_passwords.of, deps.keys, visit.person)}
    found = await deps.db.read(devices.of, deps.keys, visit.person)
    return [_program(one, apps) for one in found if not one.app_password or one.app_password in apps]


def _program(one: Device, apps: dict[int, str]) -> Program:
    """It is called as it calls itself, or as its owner named its password."""
    app = apps.get(one.app_password, "")
    way = f" avec le mot de passe « {app} »" if app and one.name else "" if app else WAYS[one.way]
    title, does = one.name or app or "Logiciel inconnu", french.typeset(DOORS[one.door] + way)
    return Program(one.id, title, does, one.place, one.first_at, one.last_at, one.app_password)
