"""Fits find the shape and the parameters that data were drawn from, and refuse what is no data."""

import math

import numpy as np
import pytest
from scipy import stats

from tollway.engine.distributions import Exponential, Gamma, Normal
from tollway.engine.distributions.data_columns import read_numbers
from tollway.engine.distributions.fitting import FIT_VALUES_MAX, BadFitData, fit_distributions
from tollway.engine.distributions.notation import parse_distribution_text
from tollway.engine.sampling.draws import uniforms

DRAWN_FROM = [
    "normal(10, 2)", "lognormal(10, 3)", "triangular(0, 3, 10)", "gamma(2, 3)", "weibull(1.5, 4)", "student(3, 1, 2)",
    "beta(2, 4)", "extreme_value(50, 10)", "pareto(3, 100)", "log_logistic(0, 10, 4)", "poisson(6)", "geometric(0.2)",
]  # fmt: skip


@pytest.mark.parametrize("text", DRAWN_FROM)
def test_the_shape_that_drew_the_data_is_among_the_best_with_its_parameters(text):
    truth = parse_distribution_text(text)
    data = truth.quantile(uniforms(5, 1, 0, 500))
    fits = fit_distributions(data)
    assert [one.aic for one in fits] == sorted(one.aic for one in fits)
    own = next(one for one in fits if one.distribution.kind == truth.kind)
    # Another shape may be a little likelier by chance: by 2 ln L of 10 about once in 150 columns.
    assert own.aic <= fits[0].aic + 10
    # The fit is at least as likely as the truth; three parameters gain about 3 in ln L, hardly ever 12.
    gain = own.log_likelihood - math.fsum(np.log(truth.density(data)).tolist())
    assert -1e-6 * abs(own.log_likelihood) <= gain < 12
    assert own.kolmogorov_smirnov < 2 / math.sqrt(500)


def test_fits_are_those_of_scipy_where_scipy_s_are_sound():
    data = Gamma(2, 3).quantile(uniforms(9, 0, 0, 500))
    by_kind = {one.distribution.kind: one for one in fit_distributions(data)}
    for kind, oracle in {
        "gamma": stats.gamma,
        "weibull": stats.weibull_min,
        "lognormal": stats.lognorm,
    }.items():
        ours = by_kind[kind]
        expected = float(oracle(*oracle.fit(data, floc=0)).logpdf(data).sum())
        assert ours.log_likelihood == pytest.approx(expected, abs=1e-4)
        assert ours.aic == pytest.approx(4 - 2 * expected, abs=1e-3)
        assert ours.bic == pytest.approx(2 * math.log(500) - 2 * expected, abs=1e-3)


def test_the_two_distances_are_scipy_s():
    data = Normal(3, 2).quantile(uniforms(9, 1, 0, 400))
    fit = next(one for one in fit_distributions(data) if one.distribution.kind == "normal")
    fitted = stats.norm(fit.distribution.mean, fit.distribution.std)
    assert fit.kolmogorov_smirnov == pytest.approx(stats.kstest(data, fitted.cdf).statistic, rel=1e-9)
    # SciPy's own statistic divides the standard deviation by n - 1.
    ordered = np.sort(data)
    logs = fitted.logcdf(ordered) + fitted.logsf(ordered[::-1])
    expected = -400 - ((2 * np.arange(1, 401) - 1) * logs).sum() / 400
    assert fit.anderson_darling == pytest.approx(expected, rel=1e-9)


def test_the_order_of_the_data_changes_no_bit():
    data = Exponential(4).quantile(uniforms(2, 0, 0, 300))
    assert fit_distributions(data) == fit_distributions(data[::-1].tolist())


def test_counts_are_tried_for_whole_numbers_alone():
    kinds = {one.distribution.kind for one in fit_distributions([0, 1, 2, 3, 4, 2, 1])}
    assert {"poisson", "geometric", "integer_uniform", "normal"} <= kinds
    assert "poisson" not in {one.distribution.kind for one in fit_distributions([0.5, 1, 2, 3, 4])}
    assert "poisson" not in {one.distribution.kind for one in fit_distributions([-1, 1, 2, 3, 4])}
    assert not {"gamma", "lognormal", "pareto"} & {
        one.distribution.kind for one in fit_distributions([-1, 1, 2, 3, 4])
    }


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([], "hold 0 different numbers"),
        ([1, 2, 3, 4], "hold 4 different numbers; a fit needs at least 5"),
        ([7] * 100, "hold 1 different number;"),
        ([1, 2, 3, 4, math.nan], "NaN or a number beyond"),
        ([1, 2, 3, 4, math.inf], "NaN or a number beyond"),
        ([1, 2, 3, 4, 10**400], "NaN or a number beyond"),
        ([1, 2, "3", 4, 5], "Value 3 of the data is '3', which is not a number"),
        ([1, 2, True, 4, 5], "Value 3 of the data is 'True'"),
        (np.zeros(FIT_VALUES_MAX + 1), "1,000,001 values and 1,000,000 are read"),
    ],
)
def test_what_is_no_data_is_refused(values, sentence):
    with pytest.raises(BadFitData) as refusal:
        fit_distributions(values)
    assert sentence in refusal.value.message
    assert refusal.value.message.endswith(".")


def written(tmp_path, text: str):
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_numbers_are_read_from_a_column_of_a_csv_file(tmp_path):
    path = written(tmp_path, "Price,Other\n1.5,9\n,9\n-2e3, 8\n3,7\n")
    assert read_numbers(path) == [1.5, -2000, 3]
    assert read_numbers(path, "B2:B5") == [9, 9, 8, 7]
    assert read_numbers(path, "data!$A$2:$B$4") == [1.5, 9, 9, -2000, 8]
    assert read_numbers(written(tmp_path, "1;2\n3;4\n"), "B:B") == [2, 4]


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ("A1:A3", "A1 holds 'Price', which is not a number"),
        ("A9:A2", "must be above or left"),
        ("A0", "is no area"),
        ("A1:", "is no area of cells"),
        ("=A1", "is no area of cells"),
        ("A1:A9999999", "is no area of a sheet"),
        ("ZZZ1", "is no area of a sheet"),
    ],
)
def test_an_area_that_holds_no_numbers_is_refused(tmp_path, cells, sentence):
    with pytest.raises(BadFitData) as refusal:
        read_numbers(written(tmp_path, "Price\n1\n2\n"), cells)
    assert sentence in refusal.value.message


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(BadFitData, match="no CSV file in UTF-8"):
        read_numbers(path)
