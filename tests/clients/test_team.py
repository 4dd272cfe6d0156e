"""A team mailbox in IMAPClient: its holder gives and takes rights (RFC 4314), a member meets them, the neighbour meets nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from imapclient.exceptions import IMAPClientError

from tests.clients.sides import imap
from tests.support.demo import Demo

ALL, WORK = b"lrswipkxteacd", b"lrswipkxtecd"


def test_the_holder_opens_and_closes_folders_to_a_member(server: Demo) -> None:
    nadia, thomas = server.member("cardiologie", 0), server.member("cardiologie", 1)
    with imap(server, nadia) as holder, imap(server, thomas) as member:
        assert {b"ACL", b"RIGHTS=KXTE", b"LIST-MYRIGHTS"} <= {name.upper() for name in holder.capabilities()}
        assert dict(holder.getacl("INBOX")) == {nadia["login"].encode(): ALL, thomas["login"].encode(): WORK}
        holder.create_folder("Direction")
        member.select_folder("Direction")
        member.append("Direction", b"Subject: x\r\n\r\ny\r\n")
        member.unselect_folder()

        holder.setacl("Direction", thomas["login"], "lr")
        member.select_folder("Direction", readonly=True)  # imaplib refuses a READ-ONLY answer to SELECT
        tries: list[Callable[[], object]] = [
            lambda: member.append("Direction", b"Subject: z\r\n\r\ny\r\n"),
            lambda: member.setacl("Direction", thomas["login"], "lrswip"),
            lambda: member.delete_folder("Direction"),
        ]
        for forbidden in tries:
            with pytest.raises(IMAPClientError, match="no right"):
                forbidden()
        assert list(member.fetch([1], ["BODY[]"])) == [1]
        assert member.get_flags([1]) == {1: ()}, "reading left no mark"
        member.unselect_folder()

        holder.setacl("Direction", thomas["login"], "-lr")
        assert "Direction" not in [name for _, _, name in member.list_folders()]
        with pytest.raises(IMAPClientError, match="no such folder"):
            member.select_folder("Direction")
        with pytest.raises(IMAPClientError, match="all rights"):
            holder.setacl("Direction", nadia["login"], "lr")


def test_a_neighbour_is_given_nothing_and_sees_nothing(server: Demo) -> None:
    nadia, neighbour = server.member("cardiologie", 0), server.member("pharmacie", 0)
    with imap(server, nadia) as holder, imap(server, neighbour) as stranger:
        with pytest.raises(IMAPClientError, match="its own members only"):
            holder.setacl("INBOX", neighbour["login"], "lr")
        with pytest.raises(IMAPClientError, match="its own members only"):
            stranger.setacl("INBOX", nadia["login"], "lr")
        assert nadia["login"].encode() not in dict(stranger.getacl("INBOX"))
