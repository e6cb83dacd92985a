"""Calls in formulas that draw: those of @RISK, XLRisk, Analytic Solver and Crystal Ball, and Excel's own RAND().

Tables from their names to our shapes, and what their further calls (RiskTruncate, PsiShift) say. No workbook here.
"""
