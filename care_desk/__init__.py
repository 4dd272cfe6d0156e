"""Web pages for professionals and pharmacies: how to set up the mail client. The rest of their day is in that client."""
