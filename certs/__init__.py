"""Certificates: profiles as data, a development authority, chain judgement, TLS contexts that follow their files."""
