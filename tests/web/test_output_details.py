"""What a page tells of an output beneath its picture: errors, measures, verdicts; and what older runs never had."""

from typing import Any

import pytest

from tollway.web.output_details import details_view, verdict_of
from tollway.web.results import error_shares

OLD: dict[str, Any] = {
    "cell": "Model!B2", "name": "Profit", "iteration_count": 10_000, "error_counts": {"#DIV/0!": 12},
    "mean": 10.0, "std": 2.0, "skewness": 0.01, "min": 3.0, "max": 17.0,
    "percentiles": {"5": 6.7, "50": 10.0, "95": 13.3}, "var": {"95": 6.7}, "cvar": {"95": 5.9},
    "sensitivities": [
        {"cell": "Model!A1", "name": "Price", "low_mean": 8.0, "high_mean": 12.0, "swing": 4.0, "correlation": 0.9},
    ],
    "remark": None,
}  # fmt: skip
STATISTIC = {"statistic": "p95", "value": 13.3, "half_width": 0.5, "allowed": 0.4}
CONVERGENCE: dict[str, Any] = {
    "tolerance": 0.03, "confidence": 0.95, "is_settled": False, "iterations_needed": 15_625,
    "statistics": [STATISTIC | {"is_settled": False, "iterations_needed": 15_625}],
    "checkpoints": [
        {"iterations": 5_000, "mean": 10.1, "low": 9.9, "high": 10.3, "percentiles": {"5": 6.6, "50": 10, "95": 13}},
        {"iterations": 10_000, "mean": 10.0, "low": 9.9, "high": 10.1, "percentiles": {"5": 6.7, "50": 10, "95": None}},
    ],
}  # fmt: skip
BEYOND: dict[str, Any] = {
    "iterations_needed": None,
    "statistics": [STATISTIC | {"is_settled": False, "iterations_needed": None}],
}
NEW = OLD | {
    "kurtosis": -0.1, "mode": 9.8,
    "standard_errors": {
        "mean": 0.02, "std": 0.014, "skewness": 0.024, "kurtosis": 0.049,
        "percentiles": {"5": 0.04}, "var": {"95": 0.04}, "cvar": {"95": 0.05},
    },
    "error_shares": {"#DIV/0!": {"share": 0.0012, "standard_error": 0.0003}},
    "targets": [
        {"value": 8.0, "share_at_or_below": 0.159, "standard_error": 0.0037},
        {"value": 9.0, "share_at_or_below": None, "standard_error": None},
    ],
    "sensitivities": [
        OLD["sensitivities"][0]
        | {"rank_correlation": 0.91, "regression_coefficient": -0.001, "variance_share": 1.0}
    ],
    "sensitivity_iterations": 4_096, "sensitivity_remark": "Regression is missing.", "convergence": CONVERGENCE,
}  # fmt: skip


def test_a_run_of_before_shows_what_it_has_and_no_more() -> None:
    view = details_view(OLD, "output-1")
    assert [panel.key for panel in view["panels"]] == ["swing"]
    assert view["percentiles"] == [("P5", "6.70", ""), ("P50", "10.00", ""), ("P95", "13.30", "")]
    assert (view["statistics"], view["targets"], view["convergence"]) == ([], [], None)
    assert error_shares(OLD) == [("#DIV/0!", 12, "0.12%")]


def test_figures_stand_beside_their_standard_errors() -> None:
    view = details_view(NEW, "output-1")
    assert view["percentiles"][0] == ("P5", "6.70", "0.0400")
    assert view["statistics"][0] == ("Mean", "10.00", "0.0200")
    assert ("CVaR 95%", "5.90", "0.0500") in view["statistics"]
    assert view["targets"] == [("8.00", "15.90%", "0.37%"), ("9.00", "no number came out", "")]
    assert error_shares(NEW) == [("#DIV/0!", 12, "0.12% ± 0.03%")]


def test_an_output_is_moved_in_four_ways() -> None:
    view = details_view(NEW, "output-1")
    assert [panel.key for panel in view["panels"]] == [
        "swing",
        "rank-correlation",
        "regression-coefficient",
        "variance-share",
    ]
    assert ">0.91</text>" in view["panels"][1].chart
    assert "\u2212" not in view["panels"][2].chart, "what is left of it has no sign"
    assert "100.0%" in view["panels"][3].chart
    assert "rest on 4,096 iterations. Regression is missing." in view["sensitivity_note"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "P95 is not yet known within 3%: about 15,625 iterations in all would be enough."),
        ({"iterations_needed": None}, "how many iterations would be enough is not known"),
        (
            BEYOND,
            "P95 is not yet known within 3%: more than 1,000,000,000 iterations in all would be needed.",
        ),
        ({"iterations_needed": 13 * 10**30}, "more than 1,000,000,000 iterations in all would be needed."),
        (
            {"is_settled": True, "tolerance": 0.005},
            "These iterations are enough: every statistic is known within 0.50%, with 95% confidence.",
        ),
        (
            {
                "statistics": [
                    STATISTIC | {"statistic": name, "is_settled": False} for name in ("mean", "std", "p5")
                ]
            },
            "Mean, Std. deviation and P5 are not yet known",
        ),
    ],
)
def test_the_verdict_is_a_sentence(changes: dict[str, Any], says: str) -> None:
    assert says in verdict_of(CONVERGENCE | changes)


def test_how_it_settled_is_drawn_over_the_iterations() -> None:
    told = details_view(NEW, "output-1")["convergence"]
    assert 'class="band"' in told["mean"]
    assert told["percentiles"].count('class="line-') == 3
    assert told["rows"][0]["needed"] == "15,625"
    beyond = details_view(NEW | {"convergence": CONVERGENCE | BEYOND}, "output-1")["convergence"]
    assert beyond["rows"][0]["needed"] == "more than 1,000,000,000"
