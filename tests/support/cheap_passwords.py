"""Imported before all tests: thousands of passwords are hashed as cheaply as Argon2 can. `REAL`: as the server hashes them."""

from __future__ import annotations

from argon2 import PasswordHasher

from mssante import passwords

REAL = passwords._hasher
passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
passwords.NOBODY = passwords.hash_password("", None)
