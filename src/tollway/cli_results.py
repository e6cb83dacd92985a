"""How the results of `tollway simulate` are printed."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from tollway.engine import OutputSummary
    from tollway.simulation.export import RunFacts

SENSITIVITIES_SHOWN = 6
CORRELATIONS_SHOWN = 6
# What the labels, and the figures of one output with their standard errors, take of a line.
LABEL_WIDTH, OUTPUT_WIDTH = 22, 28
_Figures = list[tuple[float | None, float | None]]


def print_results(screen: Console, facts: "RunFacts", summaries: Sequence["OutputSummary"]) -> None:
    """Print the statistics of every output with their standard errors, whether they settled, and what moves it."""
    from tollway.engine import describe_convergence

    per_second = facts.iterations_completed / max(facts.execution_seconds, 1e-9)
    screen.print(
        f"{facts.workbook_name}: {facts.iterations_completed:,} iterations, seed {facts.seed}, "
        f"{facts.execution_seconds:.2f} s ({per_second:,.0f} a second)",
        markup=False,
    )
    _print_sampling(screen, facts)
    # Outputs side by side, as many as the screen has room for.
    across = max(1, (screen.width - LABEL_WIDTH) // OUTPUT_WIDTH)
    for first in range(0, len(summaries), across):
        screen.print(_statistics(summaries[first : first + across]))
    for one in summaries:
        if one.remark is not None:
            screen.print(one.remark, markup=False)
        if one.convergence is not None:
            screen.print(f"{one.name or one.cell}: {describe_convergence(one.convergence)}", markup=False)
        _print_sensitivities(screen, one)


def _print_sampling(screen: Console, facts: "RunFacts") -> None:
    """Say what differs from independent draws by chance; nothing where nothing does."""
    if facts.sampling != "monte_carlo":
        screen.print(
            f"Sampling: {facts.sampling}. The standard errors below are those of chance alone; "
            "this method's are usually smaller.",
            markup=False,
        )
    for one in facts.stress:
        low, high = one["percentiles"]
        screen.print(f"Held: {one['cell']} between its percentiles {low:g} and {high:g}", markup=False)
    if facts.correlations is None:
        return
    cells, matrix = facts.correlations["cells"], facts.correlations["matrix"]
    pairs = [
        f"{cells[row]} and {cells[column]} {matrix[row][column]:+.4g}"
        for row in range(len(cells))
        for column in range(row + 1, len(cells))
        if matrix[row][column]
    ]
    more = f" and {len(pairs) - CORRELATIONS_SHOWN:,} more" if len(pairs) > CORRELATIONS_SHOWN else ""
    screen.print(f"Rank correlations: {', '.join(pairs[:CORRELATIONS_SHOWN]) or 'none'}{more}", markup=False)
    if (repaired := facts.correlations["repaired"]) is not None:
        screen.print(
            "No numbers can have the correlations that were asked for; the nearest possible ones were used. "
            f"The largest change is {repaired['largest_change']:.4f}, between {' and '.join(repaired['cells'])}.",
            markup=False,
        )


def _statistics(summaries: Sequence["OutputSummary"]) -> Table:
    table = Table()
    table.add_column("", no_wrap=True)
    for one in summaries:
        name = escape(f"{one.name}\n{one.cell}" if one.name else one.cell)
        table.add_column(name, justify="right", max_width=OUTPUT_WIDTH)
        table.add_column("±", justify="right")
    for label, figures in _rows(summaries):
        cells = [text for value, error in figures for text in (figure(value), _error(error))]
        table.add_row(escape(label), *cells)
    for position, target in enumerate(summaries[0].targets):
        told = [one.targets[position] for one in summaries]
        shares = [
            text for one in told for text in (_share(one.share_at_or_below), _share(one.standard_error))
        ]
        table.add_row(f"At or below {figure(target.value)}", *shares)
    for text in dict.fromkeys(text for one in summaries for text in one.error_shares):
        shares = []
        for one in summaries:
            found = one.error_shares.get(text)
            shares += ["0 %", ""] if found is None else [_share(found.share), _share(found.standard_error)]
        table.add_row(f"Share of {text}", *shares)
    return table


def _rows(summaries: Sequence["OutputSummary"]) -> Iterator[tuple[str, _Figures]]:
    """Give the label of each statistic, with value and standard error of every output."""
    yield "Mean", [(one.mean, one.standard_errors.mean) for one in summaries]
    yield "Standard deviation", [(one.std, one.standard_errors.std) for one in summaries]
    yield "Skewness", [(one.skewness, one.standard_errors.skewness) for one in summaries]
    yield "Excess kurtosis", [(one.kurtosis, one.standard_errors.kurtosis) for one in summaries]
    yield "Mode", [(one.mode, None) for one in summaries]
    yield "Minimum", [(one.min, None) for one in summaries]
    for percent in ("5", "25", "50", "75", "95"):
        yield (
            f"{percent} %",
            [(one.percentiles[percent], one.standard_errors.percentiles[percent]) for one in summaries],
        )
    yield "Maximum", [(one.max, None) for one in summaries]
    for level in summaries[0].var:
        yield f"VaR {level} %", [(one.var[level], one.standard_errors.var[level]) for one in summaries]
    for level in summaries[0].cvar:
        yield f"CVaR {level} %", [(one.cvar[level], one.standard_errors.cvar[level]) for one in summaries]


def _print_sensitivities(screen: Console, summary: "OutputSummary") -> None:
    moving = [one for one in summary.sensitivities if one.swing]
    if not moving:
        return
    table = Table(
        title=escape(f"What moves {summary.name or summary.cell}: its mean while an input is low or high"),
        title_justify="left",
    )
    table.add_column("Input")
    # In two lines, so that the names of the inputs have room.
    for heading in ("Lowest tenth", "Highest tenth", "Swing", "Rank corr.", "Regres- sion", "Var. share"):
        table.add_column(heading.replace(" ", "\n"), justify="right")
    for one in moving[:SENSITIVITIES_SHOWN]:
        table.add_row(
            escape(f"{one.name} {one.cell}" if one.name else one.cell),
            figure(one.low_mean),
            figure(one.high_mean),
            figure(one.swing),
            _signed(one.rank_correlation),
            _signed(one.regression_coefficient),
            _share(one.variance_share),
        )
    screen.print(table)
    if summary.sensitivity_iterations:
        screen.print(
            "Rank correlation, standardised regression coefficient and share of the variance are over the first "
            f"{summary.sensitivity_iterations:,} iterations.",
            markup=False,
        )
    if summary.sensitivity_remark is not None:
        screen.print(summary.sensitivity_remark, markup=False)


def figure(value: float | None) -> str:
    """Write a value as finely as its size asks for."""
    if value is None:
        return "none"
    size = abs(value)
    if size >= 1e12 or 0 < size < 1e-4:
        return f"{value:.4e}"
    return f"{value:,.0f}" if size >= 10_000 else f"{value:,.2f}" if size >= 100 else f"{value:,.4f}"


def _error(value: float | None) -> str:
    """Three digits, which is more than is known of a standard error."""
    if value is None:
        return ""
    return f"{value:,.0f}" if 100 <= value < 1e7 else f"{value:.3g}"


def _signed(value: float | None) -> str:
    return "none" if value is None else f"{value:+.2f}"


def _share(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.3g} %"
