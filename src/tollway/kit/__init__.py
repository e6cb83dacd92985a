"""What every domain needs and no domain is about: no business word lives here."""
