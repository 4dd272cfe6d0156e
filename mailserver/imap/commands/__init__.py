"""One frozen dataclass per command and its parser, grouped by the RFC's states; the long ones have a file each."""
