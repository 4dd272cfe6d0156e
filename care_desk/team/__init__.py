"""What came for a team and who answered it, on a page."""
