"""How many keywords a folder has, asked in the transaction that gave it more: two sessions at once are never both the last."""

from __future__ import annotations

from sqlalchemy import Integer, bindparam, func, select

from foundation.database import Transaction
from foundation.prepared import Prepared
from mailserver.store import flags as flag_rules
from mailserver.store.tables import WITH_KEYWORDS, messages

# From one set of keywords to the next, by their index: as many steps as there are different ones, however many messages have them.
_OF_FOLDER = (messages.c.folder_id == bindparam("folder"), WITH_KEYWORDS)
_SETS = select(func.min(messages.c.keywords).label("words")).where(*_OF_FOLDER).cte("sets", recursive=True)
_NEXT = select(func.min(messages.c.keywords)).where(*_OF_FOLDER, messages.c.keywords > _SETS.c.words).scalar_subquery()
_SETS = _SETS.union_all(select(_NEXT).where(_SETS.c.words.is_not(None)))
USED = select(_SETS.c.words).where(_SETS.c.words.is_not(None)).limit(bindparam("most", type_=Integer))
_USED = Prepared(USED)


def check_room(tx: Transaction, folder_id: int) -> None:
    """After messages of a folder were given keywords; raises StoreError LIMIT, which undoes that. The folder's row is locked."""
    asked = {"folder": folder_id, "most": flag_rules.SETS_PER_FOLDER + 1}
    flag_rules.check_folder(words.split() for (words,) in _USED.run(tx.conn, asked).fetchall())
