"""The bridge: what arrives by mail goes into the citizen's dossier, or is refused with a reason that both sides see."""
