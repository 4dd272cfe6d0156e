"""Web pages for professionals: their account, and how to set up the mail client. The rest of their day is in that client."""
