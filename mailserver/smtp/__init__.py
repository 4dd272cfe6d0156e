"""SMTP in: the doors through which mail enters (RFC 5321, 6409, 8314), on a subclass of aiosmtpd's session engine.

`doors.open_door` opens one; `ports` says what a door needs from outside. Nothing here stores or decides who may write to whom:
that is `mailserver.delivery`'s, reached through the `Acceptor`.
"""
