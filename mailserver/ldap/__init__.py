"""The directory for mail clients by LDAP (RFC 4511), read-only: octets, messages, filters, entries, the session."""
