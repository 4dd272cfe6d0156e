"""What the people of one mailbox may do in it: three roles, spelt in the rights of IMAP (RFC 4314 2.1).

In a service somebody answers for the mailbox, the team works in it, and some only look things up: a holder, members, readers. No
more roles, because people must be able to say who may do what; a folder that is an exception has rights of its own for a member
(`mailserver.store.api.Folder.acl`). A holder has all rights everywhere and nobody can take them, so that a mailbox always has
somebody who can; only a holder administers. A personal mailbox (PER, CIT, APP) has holders only.

Rights that make sense together are given together (RFC 4314 2). The flags of a message are the team's, not each one's: who may mark
may also file and send; who sees a folder reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

Rights = frozenset[str]

ALL = "lrswipkxtea"  # in the order in which they are written
NONE: Rights = frozenset()
# look, work (and send), delete messages, make and delete folders: `te` and `kx` are the `d` and `c` of RFC 2086
TIED = ("lr", "swip", "te", "kx")


class Role(Enum):
    """Stored as it stands: never rename one."""

    HOLDER = "holder"
    MEMBER = "member"
    READER = "reader"


OF_ROLE: Mapping[Role, Rights] = {
    Role.HOLDER: frozenset(ALL),
    Role.MEMBER: frozenset("lrswiptekx"),
    Role.READER: frozenset("lr"),
}


def tied(rights: Rights) -> Rights:
    """Without the sets that are not whole (RFC 4314 2: conservative), and without `a`, which comes with the role only."""
    return frozenset("".join(group for group in TIED if rights.issuperset(group)))


def written(rights: Rights) -> str:
    return "".join(right for right in ALL if right in rights)
