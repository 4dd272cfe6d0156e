"""The trust space: identities, addresses, mailboxes, exchanges between a citizen and a professional, and the rules over them.

Sources: the public texts gathered in docs/rules.md. Pure modules (identity, address, kinds, rules, closing, reasons) know neither
the database nor any protocol; the others take a connection or a transaction and a KeyRing.
"""
