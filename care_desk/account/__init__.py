"""« Mon compte »: where a professional signs in, and says which programs open the mailbox."""
