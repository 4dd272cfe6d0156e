"""The LDAP door: the connections of IMAP's transport, with LDAP's words."""

from __future__ import annotations

from mailserver.imap.factory import ImapFactory
from mailserver.imap.protocol import ImapProtocol
from mailserver.ldap import messages
from mailserver.ldap.messages import Code


class LdapProtocol(ImapProtocol):
    full = messages.extended(0, Code.UNWILLING_TO_PERFORM, "too many connections", messages.NOTICE_OF_DISCONNECTION)


class LdapFactory(ImapFactory):
    protocol = LdapProtocol
