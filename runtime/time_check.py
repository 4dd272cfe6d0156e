"""Whether the clock on the wall can be right, and what is written down when somebody sets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection

from foundation.clock import SECOND, is_synchronised
from foundation.database import Transaction
from mailserver.delivery.traces import newest
from runtime.house import House

TOLERANCE = 5 * SECOND  # between machines that share a database


def behind(conn: Connection, now: int) -> int:
    """By how many ms the clock is before what was already written; 0: it is not."""
    ahead = newest(conn) - now
    return ahead if ahead > TOLERANCE else 0


def wrong(conn: Connection, now: int, synchronised: Callable[[], bool] = is_synchronised) -> bool:
    """It goes back behind what it said before, and nothing keeps it right: what is written now would be out of order."""
    return behind(conn, now) > 0 and not synchronised()


def writing_down(house: House) -> Callable[[int], None]:
    """For `Watch`: the jump is counted, and stands in the audit trail."""

    def jumped(jump: int) -> None:
        house.tally.count("clock_set", "forth" if jump > 0 else "back")
        house.db.submit(_record, house, jump // SECOND)

    return jumped


def _record(tx: Transaction, house: House, seconds: int) -> None:
    house.audit.record(tx, "system:clock:jump", "system", {"seconds": seconds})


def exposition(conn: Connection, now: int, synchronised: Callable[[], bool] = is_synchronised) -> Iterator[str]:
    """Lines for Prometheus."""
    yield "# TYPE mssante_clock_synchronised gauge"
    yield f"mssante_clock_synchronised {int(synchronised())}"
    yield "# TYPE mssante_clock_behind_seconds gauge"
    yield f"mssante_clock_behind_seconds {behind(conn, now) // SECOND}"
