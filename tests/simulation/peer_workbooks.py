"""One model in the syntax of each simulation tool: price times volume, less what is fixed.

Price is normal (100, 10), volume triangular (800, 1000, 1500), and the cost 60,000: so profit has the mean 50,000, and
the standard deviation follows from the second moments of both.
"""

import math

from tests.simulation.workbooks import with_cells

MEAN = 50_000.0
# Var[v] = (800² + 1000² + 1500² - 800·1000 - 800·1500 - 1000·1500) / 18; Var[p v] = E[p²] E[v²] - (E[p] E[v])².
STD = math.sqrt(10_100 * (1_100**2 + 390_000 / 18) - (100 * 1_100) ** 2)

_TRIANGLE = "=IF(B6<2/7,800+SQRT(B6*200*700),1500-SQRT((1-B6)*500*700))"
STYLES = {
    "@RISK": {
        "B1": '=_xll.RiskNormal(100,10,_xll.RiskName("Unit price"),_xll.RiskStatic(99))',
        "B2": "=_xll.RiskTriang(800,1000,1500)",
        "B4": '=_xll.RiskOutput("Net profit")+B1*B2-B3',
    },
    "XLRisk": {
        "B1": "=[1]!RiskNormal(100,10)",
        "B2": "=[1]!RiskTriang(800,1000,1500)",
        "B4": "=[1]!RiskOutput()+B1*B2-B3",
    },
    "Analytic Solver": {
        "B1": "=PsiNormal(100,10,PsiBaseCase(100))",
        "B2": "=PsiTriangular(800,1000,1500)",
        "B4": "=B1*B2-B3+PsiOutput()",
    },
    "Crystal Ball": {
        "B1": '=CB.Normal(100,10,,,"Unit price")',
        "B2": "=CB.Triangular(800,1000,1500)",
        "B4": "=B1*B2-B3",
    },
    "RAND": {
        "B1": "=_xlfn.NORM.INV(RAND(),100,10)",
        "B6": "=RAND()",
        "B2": _TRIANGLE,
        "B4": "=B1*B2-B3",
    },
}


def profit(style: str) -> bytes:
    """The model as a file without stored values, its output in Sheet!B4."""
    labels = {"A1": "Price", "A2": "Volume", "A3": "Cost", "B3": 60_000, "A4": "Profit", "A6": "Chance"}
    return with_cells({**labels, **STYLES[style]})
