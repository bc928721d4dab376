"""To be written."""

ORIGIN = "community"
KEYS: dict[str, type] = {}
