"""Which mailbox a client's certificate opens: an APP mailbox, bound to its structure's certificate by the operator."""

from __future__ import annotations

from sqlalchemy import Connection

from foundation.dn import DistinguishedName
from mssante.address import address_key
from mssante.kinds import BoxKind, BoxState
from mssante.mailbox import Mailbox
from mssante.mailboxes import Mailboxes


def opened_by(conn: Connection, mailboxes: Mailboxes, certificate: DistinguishedName, address: str) -> Mailbox | None:
    """`certificate` has been judged. `address` chooses where it opens several mailboxes; empty: it opens one.

    A suspended mailbox is still read, as by password; a closed one is not.
    """
    bound = mailboxes.bound_to(conn, certificate)
    own = [box for box in bound if box.kind is BoxKind.APP and box.state is not BoxState.CLOSED]
    if address:
        key = address_key(address)
        own = [box for box in own if box.address.key == key]
    return own[0] if len(own) == 1 else None
