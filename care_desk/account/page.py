"""The account itself: who I am here, and my application passwords. Every act is for the credential that signed in."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from care_desk.account import again
from care_desk.account.deps import Deps
from care_desk.account.people import HOME
from foundation.database import Transaction
from foundation.web import errors, french
from foundation.web.forms import Fault
from foundation.web.site import Link
from foundation.web.visit import Visit
from mssante import app_passwords, devices, passkeys
from mssante.app_passwords import LONGEST_NAME, MOST, PROTOCOLS, AppPassword, NewSecret, TooMany
from mssante.credentials import IMAP, SUBMISSION, SignedIn
from mssante.devices import Device
from mssante.passkeys import Passkey

USES = {IMAP: "lire les messages", SUBMISSION: "envoyer des messages"}
BANNERS = {
    "mot-de-passe": "Votre mot de passe est changé. Les autres navigateurs sont déconnectés.",
    "supprime": "Le mot de passe est supprimé. Il n'ouvre plus rien.",
}


async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte."""
    if visit.request.method != "POST":
        return await _show(visit, deps)
    if (before := again.first(visit)) is not None:
        return before
    name = " ".join(visit.form.get("nom").split())
    uses = frozenset(protocol for protocol in PROTOCOLS if visit.form.get(protocol) == "oui")
    faults = [
        *([] if name else [Fault("nom", "Écrivez le nom du logiciel ou de l'appareil.")]),
        *([Fault("nom", f"Écrivez au plus {LONGEST_NAME} caractères.")] if len(name) > LONGEST_NAME else []),
        *([] if uses else [Fault(IMAP, "Cochez au moins un usage.")]),
    ]
    if faults:
        return await _show(visit, deps, name, uses, faults)
    return await _create(visit, deps, name, uses)


async def _create(visit: Visit, deps: Deps, name: str, uses: frozenset[str]) -> Response:
    """The password is in this one answer, and nowhere else in the clear."""
    login = await deps.db.read(deps.credentials.login_of, visit.person)
    salt = deps.credentials.salt_for(login)
    secret = await asyncio.to_thread(app_passwords.new_secret, salt)
    try:
        await deps.db.write(_add, deps, visit.person, name, uses, secret, visit.now)
    except TooMany:
        sentence = f"Vous avez déjà {MOST} mots de passe. Supprimez-en un d'abord."
        return await _show(visit, deps, name, uses, [Fault("nom", sentence)])
    return visit.render(
        "care_desk/account/created.html",
        "Votre mot de passe d'application",
        back=Link(HOME, "Mon compte"),
        name=name,
        login=login,
        secret=secret.text,
        uses=_uses(uses),
    )


def _add(
    tx: Transaction, deps: Deps, credential: int, name: str, uses: frozenset[str], secret: NewSecret, now: int
) -> None:
    app = app_passwords.add(tx, deps.keys, credential, name, uses, secret, now)
    details = {"app": app, "protocols": sorted(uses)}
    deps.audit.record(tx, "account:app-password:create", f"credential {credential}", details)


async def _show(
    visit: Visit,
    deps: Deps,
    name: str = "",
    uses: frozenset[str] = frozenset(PROTOCOLS),
    faults: list[Fault] | None = None,
) -> Response:
    who = await deps.db.read(deps.credentials.of, visit.person)
    assert who is not None  # the kit asked
    mine = await deps.db.read(app_passwords.of, deps.keys, visit.person)
    programs = await deps.db.read(devices.of, deps.keys, visit.person)
    keys_mine = await deps.db.read(passkeys.of, deps.keys, visit.person)
    return visit.render(
        "care_desk/account/page.html",
        "Mon compte",
        errors=[Fault(one.field, french.typeset(one.sentence)) for one in faults or []],
        banner=french.typeset(BANNERS.get(visit.query("fait"), "")),
        who=who,
        fresh=again.is_fresh(visit.signed_in, visit.now),
        factors=_factors(who, keys_mine),
        passkeys=deps.party is not None,
        alone=deps.party is not None and len(keys_mine) + who.totp == 1,
        login=await deps.db.read(deps.credentials.login_of, visit.person),
        rows=[(one, _uses(one.protocols), _by(one, programs)) for one in mine],
        name=name,
        checked=uses,
    )


async def remove(visit: Visit, deps: Deps) -> Response:
    """GET and POST /mon-compte/mots-de-passe/{app}/supprimer: the effect is said before it happens."""
    app = visit.number("app")
    if visit.request.method == "POST":
        if not await deps.db.write(_remove, deps, visit.person, app):
            raise errors.not_found()
        return visit.redirect(HOME, "supprime")
    one = await _mine(visit, deps, app)
    title = f"Supprimer le mot de passe « {one.name} »"
    return visit.render("care_desk/account/remove.html", title, back=Link(HOME, "Mon compte"), one=one)


def _remove(tx: Transaction, deps: Deps, credential: int, app: int) -> bool:
    removed = app_passwords.remove(tx, credential, app)
    if removed:
        deps.audit.record(tx, "account:app-password:remove", f"credential {credential}", {"app": app})
    return removed


async def _mine(visit: Visit, deps: Deps, app: int) -> AppPassword:
    for one in await deps.db.read(app_passwords.of, deps.keys, visit.person):
        if one.id == app:
            return one
    raise errors.not_found()


def _factors(who: SignedIn, keys: list[Passkey]) -> str:
    held = [
        *(["application de codes"] if who.totp else []),
        *([french.count(len(keys), "clé d'accès", "clés d'accès")] if keys else []),
    ]
    return french.typeset(" et ".join(held) or "code envoyé par e-mail")


def _by(app: AppPassword, programs: list[Device]) -> str:
    """Who used it last, as far as it names itself (at submission none does), and from which network; IPv4 and IPv6 look apart."""
    theirs = [one for one in programs if one.app_password == app.id]
    name = next((one.name for one in theirs if one.name), "")
    place = next((f"réseau {one.place}" for one in theirs if one.place), "")
    return ", ".join(filter(None, (name and f"par {name}", place)))


def _uses(protocols: frozenset[str]) -> str:
    return " et ".join(words for protocol, words in USES.items() if protocol in protocols)
