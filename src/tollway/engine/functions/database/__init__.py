"""Database functions. Importing the package registers them."""

from tollway.engine.functions.database import summaries

__all__ = ["summaries"]
