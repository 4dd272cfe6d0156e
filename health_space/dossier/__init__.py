"""The dossier: a citizen's documents, sealed under the dossier's own key (rules.md section 8)."""
