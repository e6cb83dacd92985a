"""Pages of a signed-in customer."""
