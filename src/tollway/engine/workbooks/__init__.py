"""Reads workbook files: the zip archive, its parts, sheets of cells, tables."""
