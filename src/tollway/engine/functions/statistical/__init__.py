"""Statistical functions. Importing the package registers them."""

from tollway.engine.functions.statistical import (
    averages,
    beta_family,
    counting,
    discrete,
    extremes,
    gamma_family,
    hypothesis_tests,
    normal,
    pairs,
    ranking,
    regression,
    spread,
)

__all__ = [
    "averages",
    "beta_family",
    "counting",
    "discrete",
    "extremes",
    "gamma_family",
    "hypothesis_tests",
    "normal",
    "pairs",
    "ranking",
    "regression",
    "spread",
]
