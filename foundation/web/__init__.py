"""The web kit: sessions, forms, layout, French typography, security headers. Knows no health and no mail. See README.md."""
