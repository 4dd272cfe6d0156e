"""One file per step, oldest first; made by Alembic, read by `runtime.schema`."""
