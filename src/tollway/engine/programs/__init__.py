"""Programs over blocks of iterations: slicing, lowering, and evaluation with NumPy."""
