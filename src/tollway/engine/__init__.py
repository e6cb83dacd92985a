"""Arithmetic alone: reads a workbook, makes a program of its formulas, evaluates it over blocks of draws.

Arrays in, arrays out; no web, database, clock or settings.
"""
