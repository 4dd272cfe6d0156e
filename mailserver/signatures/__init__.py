"""Signatures on messages: DKIM (RFC 6376), what both ways share.

dkimpy does the header fields and the arithmetic. Bodies are hashed here, piece by piece: dkimpy wants the whole message at once,
cut into lines, and one of its patterns takes half a minute for 25 MB of long blanks, while no other thread runs.
"""
