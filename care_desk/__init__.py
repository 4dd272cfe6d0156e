"""Web pages for professionals and pharmacies. Nothing here yet: version 0.1 serves them in their mail clients."""
