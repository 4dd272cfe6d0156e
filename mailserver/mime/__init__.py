"""Reading of Internet messages (RFC 5322, RFC 2045-2049, 2183, 2231) for the mail store, the rules and the pages.

One pass over the octets finds the parts and their offsets; everything else (decoding, ENVELOPE, text) is made on demand from them.
Nothing here raises on any input: malformed mail is read as well as it can be, and costs no more than well-formed mail of its size.
Nothing here composes mail (`mailserver.outbound.compose`) nor stores it (`mailserver.store`).
"""

from mailserver.mime.addresses import Address
from mailserver.mime.message import Attachment, Message, scan
from mailserver.mime.sections import header_fields, locate

__all__ = ["Address", "Attachment", "Message", "header_fields", "locate", "scan"]
