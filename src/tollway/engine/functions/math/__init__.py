"""Math and trigonometry functions. Importing the package registers them."""

from tollway.engine.functions.math import arithmetic

__all__ = ["arithmetic"]
