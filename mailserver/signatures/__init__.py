"""Signatures on messages, DKIM (RFC 6376) and ARC (RFC 8617), and what is said of them; the body's hash is for both ways.

dkimpy reads the tags and hashes the fields, `cryptography` does the arithmetic. Bodies are hashed here, piece by piece: dkimpy
wants the whole message, cut into lines, and one of its patterns takes half a minute for 25 MB of long blanks, while no other
thread runs.
"""
