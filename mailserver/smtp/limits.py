"""What one client may ask of a door, each limit with its clause or its reason. Values are settings; the defaults are safe."""

from __future__ import annotations

from dataclasses import dataclass

COMMAND_OCTETS = 512  # RFC 5321 4.5.3.1.4, CRLF included; extensions add to it, see commands.COMMANDS
AUTH_OCTETS = 12_288  # RFC 4954 4 and 4.5.3.1: the longest base64 response
TEXT_LINE_OCTETS = 1_000  # RFC 5321 4.5.3.1.6, CRLF included, the transparent dot not counted
REPLY_LINE_OCTETS = 512  # RFC 5321 4.5.3.1.5


@dataclass(frozen=True, slots=True)
class Limits:
    """Octets, counts and seconds."""

    message_octets: int = 26_214_400  # Mon espace santé refuses a message above 25 MB in all
    recipients: int = 1_000  # of one message, announced as RCPTMAX (RFC 9422); RFC 5321 4.5.3.1.8 asks for 100 at least
    messages: int = 10_000  # of one session, announced as MAILMAX: a peer's certificate is judged once a session
    refused_recipients: int = 1_000  # per session: an address harvester must come back, a long mailing list need not
    hold_s: int = 30 * 86_400  # longest wait for the hour that a sender chose (RFC 4865)
    errors: int = 20  # per session, then 421; refused recipients are not errors
    idle_commands: int = 200  # NOOP, RSET, VRFY... between two messages; each one over counts as an error
    command_s: float = 300.0  # RFC 5321 4.5.3.2.7
    data_block_s: float = 180.0  # RFC 5321 4.5.3.2.5
    data_total_s: float = 3_600.0  # a message sent one octet at a time must end some day
    handshake_s: float = 30.0
    linger_s: float = 2.0  # time a client has to read our last word before the connection goes
    password_wait_s: float = 60.0  # longest wait before the answer to a wrong password
    connections: int = 5_000
    connections_per_address: int = 50
