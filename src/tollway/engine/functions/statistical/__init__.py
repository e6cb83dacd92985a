"""Statistical functions. Importing the package registers them."""

from tollway.engine.functions.statistical import descriptive

__all__ = ["descriptive"]
