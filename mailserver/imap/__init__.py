"""IMAP4rev1 (RFC 3501) with IDLE, UIDPLUS, MOVE, SPECIAL-USE, NAMESPACE, ID, LITERAL+, SASL-IR, ENABLE, CONDSTORE, UNSELECT.

Read in this order: `framer` (bytes to commands), `grammar` and `commands/` (commands to values), `table` (every command on one
screen), `handlers/` (what each does), `view` (one session's idea of its folder), `fetch` and `search`, `session` (the state
machine, without transport), `protocol` and `factory` (Twisted). To serve:

    factory = ImapFactory(lambda ip: ImapSession(store, sign_in, Settings(), ip, tls=True), tls_contexts)
    TCP4ServerEndpoint(reactor, 993).listen(over_tls(factory, tls_contexts))

Nothing here knows SQL, MIME parsing or the rules of the trust space.
"""
