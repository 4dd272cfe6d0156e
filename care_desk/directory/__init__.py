"""« Annuaire » for professionals who look for someone to write to."""
