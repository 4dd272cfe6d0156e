"""The directory as an address book (CardDAV, RFC 6352), read-only: found by questions, never listed whole."""
