"""Closing from a mail client: a conversation moved to « Conversations closes » (docs/rules.md section 4).

The mail store calls this inside the transaction of the move, with the exchanges of the messages moved. Only the professional's
side has that folder, and only exchanges of citizens of ours are kept here.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from foundation.audit import Audit
from foundation.clock import Clock, system_clock
from foundation.database import Transaction
from mssante.exchanges import Exchanges
from mssante.kinds import ClosedMeans, Party
from mssante.mailboxes import Mailboxes
from mssante.tables import exchanges as exchange_rows


def closing_hook(
    mailboxes: Mailboxes, exchanges: Exchanges, audit: Audit, clock: Clock = system_clock
) -> Callable[[Transaction, int, list[int], str], None]:
    """The `on_closed` of `store.sql.SqlMailStore`."""

    def on_closed(tx: Transaction, box_id: int, exchange_ids: list[int], actor: str) -> None:
        box = mailboxes.get(tx.conn, box_id)
        if box is None or box.kind.party is not Party.PROFESSIONAL:
            return
        wanted = select(exchange_rows.c.id, exchange_rows.c.citizen_box_id)
        for row in tx.execute(wanted.where(exchange_rows.c.id.in_(exchange_ids))).all():
            exchange = exchanges.by_id(tx.conn, row.citizen_box_id, row.id)
            if exchange is None or not exchanges.may_close(exchange, box.address):  # a Reply-To may have named another
                continue
            by = actor or box.holder.display_name or box.address.text
            closed = exchanges.close(tx, row.citizen_box_id, exchange.contact.address, ClosedMeans.FOLDER, by, clock())
            if closed:
                audit.record(tx, "exchange:box:close", f"box {box_id}", {"exchange": row.id, "means": "folder"})

    return on_closed
