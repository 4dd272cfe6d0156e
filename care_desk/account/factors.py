"""A second factor has just been enrolled, whichever: what follows in the same transaction."""

from __future__ import annotations

from care_desk.account.deps import Deps
from foundation.database import Transaction
from foundation.web import sessions
from foundation.web.sessions import Session, Stage
from mssante import recovery


def is_first(session: Session) -> bool:
    """In the middle of signing in, with nothing enrolled; not so where two operators let somebody replace what they lost."""
    return session.stage is Stage.CODE and not session.data.get("recovery")


def recovering(session: Session) -> int:
    """The number of the recovery; 0: none. It is good in the middle of signing in only."""
    return int(session.data.get("recovery", "0")) if session.stage is Stage.CODE else 0


def enrolled(tx: Transaction, deps: Deps, session: Session, what: str, now: int, passkey: int = 0) -> None:
    """`what`: "application" or "passkey". Raises LookupError when the recovery is good no more."""
    details: dict[str, int | bool] = {"first": is_first(session)} | ({"passkey": passkey} if passkey else {})
    if number := recovering(session):
        recovery.use(tx, session.person, number, now, passkey)
        sessions.end_all(tx, session.person, sessions.realm_of(session.id), but=session)
        details["recovery"] = number
    event = "totp" if what == "application" else what
    deps.audit.record(tx, f"account:{event}:enrol", f"credential {session.person}", details)
    deps.tell(tx, session.person, "recovered" if number else what)
