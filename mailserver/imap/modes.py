"""What the client turned on, by ENABLE (RFC 5161) or by a command that implies it: it changes what the server says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Modes:
    """All off at sign-in, and again after UNAUTHENTICATE (RFC 8437 2)."""

    condstore: bool = False  # RFC 7162 3.1: MODSEQ in every FETCH from now on
    qresync: bool = False  # RFC 7162 3.2
    rev2: bool = False  # RFC 9051
    utf8: bool = False  # mailbox names and quoted strings in UTF-8 (RFC 9051 5.1, RFC 9755)
    no_charset: bool = False  # RFC 9755 3: what SEARCH looks for is UTF-8, and need not be said
    uid_only: bool = False  # RFC 9586: no message numbers any more

    @property
    def vanishes(self) -> bool:
        """VANISHED takes the place of EXPUNGE (RFC 7162 3.2.10, RFC 9586 3.6)."""
        return self.qresync or self.uid_only

    @property
    def says_uid(self) -> bool:
        """UID in every FETCH that nobody asked for (RFC 9051 7.5.2, RFC 7162 3.2.4)."""
        return self.rev2 or self.qresync
