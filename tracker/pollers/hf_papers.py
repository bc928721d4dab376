"""To be written."""

ORIGIN = "paper"
KEYS: dict[str, type] = {}
