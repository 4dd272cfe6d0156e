"""The mail store: one interface (`api`), in SQL and in memory."""
