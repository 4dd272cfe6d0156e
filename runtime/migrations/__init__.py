"""Migrations of the whole schema (Alembic), in the order of `versions/`."""
