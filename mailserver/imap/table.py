"""Every command that exists: name -> (states, parser, handler, what news may follow, rights). The whole server on one screen.

A command that is not here does not exist. News are the untagged responses about other sessions' doings that stand before the
tagged line; EXPUNGE may not be among them for FETCH, STORE and SEARCH by message number (RFC 3501 7.4.1).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from mailserver.imap.commands import (
    acl,
    any_state,
    append,
    auth,
    fetch,
    metadata,
    nonauth,
    notify,
    search,
    selected,
    sort,
    store,
)
from mailserver.imap.commands import select as selects
from mailserver.imap.context import Context, State
from mailserver.imap.grammar import Cursor
from mailserver.imap.handlers import acl as do_acl
from mailserver.imap.handlers import any_state as do_any
from mailserver.imap.handlers import append as do_append
from mailserver.imap.handlers import folders, messages, modes, quota
from mailserver.imap.handlers import metadata as do_metadata
from mailserver.imap.handlers import nonauth as do_nonauth
from mailserver.imap.handlers import search as do_search
from mailserver.imap.handlers import select as do_select
from mailserver.imap.responses import Response
from mailserver.imap.rights import HOLDERS, Needs

# A parser gives the dataclass its handler takes; the table is the only place that pairs them.
Parser = Callable[[Cursor], Any]
Handler = Callable[[Context, Any], AsyncGenerator[Response]]


@dataclass(frozen=True, slots=True)
class Entry:
    states: frozenset[State]
    parse: Parser
    handle: Handler
    expunge_after: bool = True
    long: bool = False  # may go on for minutes: INPROGRESS is told meanwhile
    needs: Needs = HOLDERS  # rights (RFC 4314 4)


ANY = frozenset((State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED))
NEW = frozenset((State.NOT_AUTHENTICATED,))
IN = frozenset((State.AUTHENTICATED, State.SELECTED))
SELECTED = frozenset((State.SELECTED,))


def bare(command: Callable[[], object]) -> Parser:
    """The parser of a command without arguments."""
    return lambda at: command()


COMMANDS: dict[bytes, Entry] = {
    # any state
    b"CAPABILITY": Entry(ANY, bare(any_state.Capability), do_any.capability),
    b"NOOP": Entry(ANY, bare(any_state.Noop), do_any.noop),
    b"LOGOUT": Entry(ANY, bare(any_state.Logout), do_any.logout),
    b"ID": Entry(ANY, any_state.parse_id, do_any.identify),
    # not authenticated
    b"STARTTLS": Entry(NEW, bare(nonauth.StartTls), do_nonauth.start_tls),
    b"AUTHENTICATE": Entry(NEW, nonauth.parse_authenticate, do_nonauth.authenticate),
    b"LOGIN": Entry(NEW, nonauth.parse_login, do_nonauth.login),
    # authenticated
    b"UNAUTHENTICATE": Entry(IN, bare(any_state.Unauthenticate), do_any.unauthenticate),
    b"ENABLE": Entry(IN, auth.parse_enable, modes.enable),
    b"SELECT": Entry(IN, selects.parse_select, do_select.select, needs=Needs("r")),
    b"EXAMINE": Entry(IN, partial(selects.parse_select, read_only=True), do_select.select, needs=Needs("r")),
    b"CREATE": Entry(IN, auth.parse_create, folders.create, needs=Needs(above="k")),
    b"DELETE": Entry(IN, auth.parse_delete, folders.delete, needs=Needs("x")),
    b"RENAME": Entry(IN, auth.parse_rename, folders.rename, needs=Needs("x", above="k")),
    b"SUBSCRIBE": Entry(IN, auth.parse_subscribe, folders.subscribe, needs=Needs("l")),
    b"UNSUBSCRIBE": Entry(IN, partial(auth.parse_subscribe, wanted=False), folders.subscribe, needs=Needs("")),
    b"LIST": Entry(IN, auth.parse_list, folders.list_folders),
    b"LSUB": Entry(IN, partial(auth.parse_list, kind=b"LSUB"), folders.list_folders),
    b"XLIST": Entry(IN, partial(auth.parse_list, kind=b"XLIST"), folders.list_folders),
    b"NAMESPACE": Entry(IN, bare(auth.Namespace), folders.namespace),
    b"STATUS": Entry(IN, auth.parse_status, folders.status, needs=Needs("r")),
    b"GETQUOTA": Entry(IN, auth.parse_get_quota, quota.get_quota),
    b"GETQUOTAROOT": Entry(IN, auth.parse_get_quota_root, quota.get_quota_root),
    b"SETQUOTA": Entry(IN, auth.parse_set_quota, quota.set_quota),
    b"GETMETADATA": Entry(IN, metadata.parse_get_metadata, do_metadata.get_metadata, needs=Needs("lr")),
    b"SETMETADATA": Entry(IN, metadata.parse_set_metadata, do_metadata.set_metadata, needs=Needs("lr")),
    b"SETACL": Entry(IN, acl.parse_set_acl, do_acl.set_acl, needs=Needs("a")),
    b"DELETEACL": Entry(IN, acl.parse_delete_acl, do_acl.delete_acl, needs=Needs("a")),
    b"GETACL": Entry(IN, acl.parse_get_acl, do_acl.get_acl, needs=Needs("a")),
    b"LISTRIGHTS": Entry(IN, acl.parse_list_rights, do_acl.list_rights, needs=Needs("a")),
    b"MYRIGHTS": Entry(IN, acl.parse_my_rights, do_acl.my_rights, needs=Needs("")),
    b"APPEND": Entry(IN, append.parse_append, do_append.append, needs=Needs("i")),
    b"ESEARCH": Entry(IN, search.parse_multi_search, do_search.multi_search, long=True),
    b"COMPRESS": Entry(IN, auth.parse_compress, modes.compress),
    b"NOTIFY": Entry(IN, notify.parse_notify, modes.notify),
    b"IDLE": Entry(IN, bare(auth.Idle), modes.idle),
    # selected
    b"CHECK": Entry(SELECTED, bare(selected.Check), messages.check),
    b"CLOSE": Entry(SELECTED, bare(selected.Close), do_select.close),
    b"UNSELECT": Entry(SELECTED, bare(selected.Unselect), do_select.unselect),
    b"EXPUNGE": Entry(SELECTED, bare(selected.Expunge), messages.expunge, long=True, needs=Needs(here="e")),
    b"SEARCH": Entry(SELECTED, search.parse_search, do_search.search, expunge_after=False, long=True),
    b"FETCH": Entry(SELECTED, fetch.parse_fetch, messages.fetch, expunge_after=False, long=True),
    b"STORE": Entry(SELECTED, store.parse_store, messages.store, expunge_after=False, long=True),
    b"COPY": Entry(SELECTED, selected.parse_copy, messages.copy, long=True, needs=Needs("i")),
    b"REPLACE": Entry(SELECTED, append.parse_replace, do_append.replace, needs=Needs("i", here="te")),
    b"MOVE": Entry(SELECTED, selected.parse_move, messages.move, long=True, needs=Needs("i", here="te")),
    b"UID EXPUNGE": Entry(SELECTED, selected.parse_uid_expunge, messages.expunge, long=True, needs=Needs(here="e")),
    b"SORT": Entry(SELECTED, sort.parse_sort, do_search.sort, expunge_after=False, long=True),
    b"THREAD": Entry(SELECTED, sort.parse_thread, do_search.thread, expunge_after=False, long=True),
    b"CANCELUPDATE": Entry(SELECTED, selected.parse_cancel_update, do_search.cancel_update),
    b"UID SORT": Entry(SELECTED, partial(sort.parse_sort, uid=True), do_search.sort, long=True),
    b"UID THREAD": Entry(SELECTED, partial(sort.parse_thread, uid=True), do_search.thread, long=True),
    b"UID SEARCH": Entry(SELECTED, partial(search.parse_search, uid=True), do_search.search, long=True),
    b"UID FETCH": Entry(SELECTED, partial(fetch.parse_fetch, uid=True), messages.fetch, long=True),
    b"UID STORE": Entry(SELECTED, partial(store.parse_store, uid=True), messages.store, long=True),
    b"UID COPY": Entry(SELECTED, partial(selected.parse_copy, uid=True), messages.copy, long=True, needs=Needs("i")),
    b"UID REPLACE": Entry(
        SELECTED, partial(append.parse_replace, uid=True), do_append.replace, needs=Needs("i", here="te")
    ),
    b"UID MOVE": Entry(
        SELECTED, partial(selected.parse_move, uid=True), messages.move, long=True, needs=Needs("i", here="te")
    ),
}
