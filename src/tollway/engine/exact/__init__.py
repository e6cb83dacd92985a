"""The exact interpreter: formulas bound to their workbook and computed on demand, one value at a time."""
