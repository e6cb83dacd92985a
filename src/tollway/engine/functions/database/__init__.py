"""Database functions. Importing the package registers them."""
