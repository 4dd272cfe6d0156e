"""Pages of the dossier, one module each; addresses in `health_space.app`."""
