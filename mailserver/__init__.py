"""The mail server: MIME, SMTP doors, delivery, IMAP, mail store, relay to other operators."""
