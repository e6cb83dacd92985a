"""Health: is every part that was configured connected. Owns no table."""
