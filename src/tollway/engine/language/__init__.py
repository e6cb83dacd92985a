"""Excel's formula language: text to tree and back, copying, names of functions."""
