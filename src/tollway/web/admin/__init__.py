"""Pages of the administration: everything that only administrators see."""
