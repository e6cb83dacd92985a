"""Engineering functions. Importing the package registers them."""
