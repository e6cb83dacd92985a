"""How fast the engine runs three models, beside plain NumPy written by hand for each, and beside other engines.

    python bench/engine.py [--json] [MODEL ...]

In iterations a second of processor time on one thread, in turn: evaluation alone (draws given, outputs wanted), with
Excel's exactness and without, and end to end (drawing, evaluation and statistics).
NumPy by hand is the same arithmetic as an analyst would write it in blocks of 4,096 iterations: it knows the model's
structure, keeps no error values and draws with NumPy's own samplers. The other engines (engine_peers.py; `make bench`
installs them) open the same workbook, set the same draws and read the same outputs, one iteration at a time. None of
them draws or sums up: their end to end is what NumPy by hand needs for that, added to their evaluation.
Outputs are compared first; a model whose numbers differ from NumPy's gets no figures, and a peer that differs is
named. The ratio is what counts; absolute figures are this machine's.
"""

import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tollway.engine import (
    Discrete,
    Distribution,
    Input,
    Normal,
    Pert,
    Program,
    ProgramFacts,
    Triangular,
    Uniform,
    build_program,
    draw,
    evaluate,
    read_workbook,
    run_shard,
    summarize,
)

sys.path.insert(0, str(Path(__file__).parents[1]))
models: Any = importlib.import_module("tests.engine.models")

BLOCK = 4_096
ROUNDS = 3
SEED = 7
ITERATIONS = {"valuation": 100 * BLOCK, "project": 100 * BLOCK, "loans": 8 * BLOCK}
PEERS_PYTHON = Path(__file__).parents[1] / ".venv-bench/bin/python"
PEERS = ("ironcalc", "formualizer", "formulas")
# They are slow: this many iterations at most, for this many processor seconds.
PEER_ITERATIONS_MAX = 2_000
PEER_SECONDS_MAX = 3.0
# A peer agrees where all outputs of all iterations are this near to ours.
PEER_TOLERANCE = 1e-9

Floats = NDArray[np.float64]
Draws = dict[str, Floats]


@dataclass(frozen=True)
class PeerFigures:
    """Another engine at the same model; `ratio` is how many times its iterations a second ours are."""

    peer: str
    iterations_per_second: float | None = None
    load_seconds: float | None = None
    ratio: float | None = None
    end_to_end: float | None = None
    end_to_end_ratio: float | None = None
    agrees: bool | None = None
    remark: str = ""


@dataclass(frozen=True)
class Figures:
    """Iterations a second, and how many times the peer's."""

    model: str
    formulas: int
    iterations: int
    replayed: int
    evaluation: float
    numpy_evaluation: float
    evaluation_ratio: float
    unchecked_ratio: float
    end_to_end: float
    numpy_end_to_end: float
    end_to_end_ratio: float
    peers: list[PeerFigures]


def main() -> None:
    """Measure, and print a table or JSON."""
    names = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    figures = [measure(case) for case in models.MODELS if not names or case.name in names]
    if "--json" in sys.argv:
        print(json.dumps([asdict(one) for one in figures], indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table_of_numpy(figures))
    console.print(table_of_peers(figures))


def table_of_numpy(figures: list[Figures]) -> Table:
    """Beside NumPy by hand: how many times its iterations a second, exactly and without exactness."""
    table = Table(title="Beside NumPy by hand: iterations a second, one thread, best of three")
    for heading in (
        "Model",
        "Formulas",
        "Evaluation",
        "By hand",
        "Ratio",
        "Not exact",
        "End to end",
        "By hand",
        "Ratio",
    ):
        table.add_column(heading, justify="left" if heading == "Model" else "right")
    for one in figures:
        table.add_row(
            one.model,
            f"{one.formulas:,}",
            f"{one.evaluation:,.0f}",
            f"{one.numpy_evaluation:,.0f}",
            f"{one.evaluation_ratio:.2f}",
            f"{one.unchecked_ratio:.2f}",
            f"{one.end_to_end:,.0f}",
            f"{one.numpy_end_to_end:,.0f}",
            f"{one.end_to_end_ratio:.2f}",
        )
    return table


def table_of_peers(figures: list[Figures]) -> Table:
    """Beside other engines: how many times their iterations a second ours are, evaluation alone and end to end."""
    table = Table(title="Beside other engines: iterations a second, one process each")
    for heading in (
        "Model",
        "Engine",
        "Loading, s",
        "Evaluation",
        "Ratio",
        "End to end",
        "Ratio",
        "Same numbers",
    ):
        table.add_column(heading, justify="left" if heading in ("Model", "Engine") else "right")
    for one in figures:
        for peer in one.peers:
            if peer.ratio is None:
                table.add_row(one.model, peer.peer, peer.remark)
            else:
                table.add_row(
                    one.model,
                    peer.peer,
                    f"{peer.load_seconds:.2f}",
                    f"{peer.iterations_per_second:,.1f}",
                    f"{peer.ratio:,.0f}",
                    f"{peer.end_to_end:,.1f}",
                    f"{peer.end_to_end_ratio:,.0f}",
                    "yes" if peer.agrees else "no",
                )
    return table


def measure(case: Any) -> Figures:
    """Compare one model's numbers, then its speed."""
    by_hand, count = BY_HAND[case.name], ITERATIONS[case.name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xlsx"
        case.write(path)
        program = build_program(read_workbook(path), case.inputs, case.outputs)
        rows = draw(program.inputs, SEED, 0, count)
        told = [ask_peer(peer, path, program, rows[:, :PEER_ITERATIONS_MAX]) for peer in PEERS]
    cells = [source.cell for source in program.inputs]

    def hand_evaluation() -> Floats:
        outputs = np.empty((len(program.outputs), count))
        for start in range(0, count, BLOCK):
            part = slice(start, start + BLOCK)
            outputs[:, part] = by_hand(dict(zip(cells, rows[:, part], strict=True)))
        return outputs

    found = evaluate(program, rows)
    assert not found.errors.any(), f"{case.name} shows error values"
    for row, expected in zip(found.values, hand_evaluation(), strict=True):
        # A value that happens to lie near 0 is the small difference of large ones.
        np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-9 * expected.std())

    ours, theirs = best(lambda: evaluate(program, rows), hand_evaluation)
    unchecked, theirs_again = best(lambda: evaluate(program, rows, is_exact=False), hand_evaluation)
    facts = ProgramFacts.of(program)
    whole, hand_whole = best(
        lambda: summarize(facts, [run_shard(program, SEED, 0, count)]),
        lambda: hand_end_to_end(program, by_hand, count),
    )
    # Drawing and statistics without a model between them.
    first = cells[0]
    around, _ = best(
        lambda: hand_end_to_end(program, lambda draws: [draws[first]] * len(program.outputs), count),
        lambda: None,
    )
    speeds = Speeds(count / ours, count / whole, around / count)
    return Figures(
        model=case.name,
        formulas=case.formulas_count,
        iterations=count,
        replayed=found.replayed_count,
        evaluation=count / ours,
        numpy_evaluation=count / theirs,
        evaluation_ratio=theirs / ours,
        unchecked_ratio=theirs_again / unchecked,
        end_to_end=count / whole,
        numpy_end_to_end=count / hand_whole,
        end_to_end_ratio=hand_whole / whole,
        peers=[
            compared(peer, answer, found.values, speeds) for peer, answer in zip(PEERS, told, strict=True)
        ],
    )


def ask_peer(peer: str, path: Path, program: Program, rows: Floats) -> dict[str, Any]:
    """What another engine makes of the same workbook and draws."""
    if not PEERS_PYTHON.exists():
        return {"failed": "not installed; `make bench` installs it"}
    draws = path.with_suffix(".npz")
    np.savez(
        draws,
        cells=np.array([source.cell for source in program.inputs]),
        outputs=np.array(program.outputs),
        draws=rows,
    )
    script = Path(__file__).with_name("engine_peers.py")
    command = [str(PEERS_PYTHON), str(script), peer, str(path), str(draws), str(PEER_SECONDS_MAX)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"failed": (done.stderr.strip().splitlines() or ["it printed nothing"])[-1][:100]}
    return answer


@dataclass(frozen=True)
class Speeds:
    """Our iterations a second, and the seconds an iteration that NumPy by hand needs around an evaluation."""

    evaluation: float
    end_to_end: float
    hand_seconds_around: float


def compared(peer: str, answer: dict[str, Any], ours: Floats, speeds: Speeds) -> PeerFigures:
    """Another engine's numbers and speed against ours."""
    if "failed" in answer:
        return PeerFigures(peer, remark=answer["failed"])
    theirs = np.array(answer["outputs"], dtype=float).T
    expected = ours[:, : theirs.shape[1]]
    near = np.abs(theirs - expected) <= PEER_TOLERANCE * np.maximum(
        np.abs(expected), ours.std(axis=1, keepdims=True)
    )
    speed = answer["iterations"] / answer["seconds"]
    whole = 1 / (1 / speed + speeds.hand_seconds_around)
    return PeerFigures(
        peer=peer,
        iterations_per_second=speed,
        load_seconds=answer["load_seconds"],
        ratio=speeds.evaluation / speed,
        end_to_end=whole,
        end_to_end_ratio=speeds.end_to_end / whole,
        agrees=bool(near.all()),
    )


def best(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Processor seconds of each, the best of ROUNDS, in turn so that a busy moment hits both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for work, taken in zip((one, other), seconds, strict=True):
            started = time.process_time()
            work()
            taken.append(time.process_time() - started)
    return min(seconds[0]), min(seconds[1])


def hand_end_to_end(program: Program, by_hand: Callable[[Draws], list[Floats]], count: int) -> list[object]:
    """Draw, evaluate and summarise as an analyst's script would."""
    generator = np.random.default_rng(SEED)
    outputs = np.empty((len(program.outputs), count))
    for start in range(0, count, BLOCK):
        length = min(BLOCK, count - start)
        draws = {source.cell: hand_draw(generator, source, length) for source in program.inputs}
        outputs[:, start : start + length] = by_hand(draws)
    return [
        (
            row.mean(),
            row.std(ddof=1),
            row.min(),
            row.max(),
            np.quantile(row, [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]),
            np.histogram(row, bins=50),
        )
        for row in outputs
    ]


def hand_draw(generator: np.random.Generator, source: Input, count: int) -> Floats:
    """Draw with NumPy's own samplers."""
    distribution: Distribution = source.distribution
    match distribution:
        case Normal(mean, std):
            return generator.normal(mean, std, count)
        case Uniform(low, high):
            return generator.uniform(low, high, count)
        case Triangular(low, mode, high):
            return generator.triangular(low, mode, high, count)
        case Pert(low, _, high):
            return low + (high - low) * generator.beta(distribution.alpha, 6 - distribution.alpha, count)
        case Discrete(values, probabilities):
            return generator.choice(np.array(values), count, p=probabilities)
    raise AssertionError(distribution)


# --- the three models by hand --------------------------------------------------------------------------


def valuation(draws: Draws) -> list[Floats]:
    """Value a firm: ten years of cash and a terminal value."""
    a: dict[str, Any] = {
        name: draws.get(f"Assumptions!B{row}", float(value))
        for row, (name, value, _) in enumerate(models.ASSUMPTIONS, 1)
    }
    equity_cost = a["Risk-free rate"] + a["Beta"] * a["Equity premium"]
    debt_share = a["Debt share"]
    capital_cost = (1 - debt_share) * equity_cost + debt_share * a["Cost of debt"] * (1 - a["Tax rate"])
    revenue, capital = a["Revenue today"], a["Revenue today"] * 0.1
    invested: Any = 0.0
    present: Any = 0.0
    ebitdas: Any = 0.0
    revenues: Any = 0.0
    cash, least = revenue, np.full_like(revenue, np.inf)
    for year in models.YEARS:
        growth = a["Growth, years 1 to 5"] if year <= 5 else a["Growth, later years"]
        growth = growth + np.where(a["Year of the shock"] == year, a["Size of the shock"], 0.0)
        revenue = revenue * (1 + growth)
        cost = (
            revenue
            * (1 - a["Gross margin"])
            * (1 + a["Inflation of costs"]) ** (year - 1)
            / 1.02 ** (year - 1)
        )
        ebitda = revenue - cost - revenue * (a["Overhead share"] + a["Research share"])
        investment = revenue * a["Investment share"]
        invested = invested + investment
        depreciation = invested / a["Useful life"]
        ebit = ebitda - depreciation
        after_tax = ebit - np.maximum(0, ebit) * a["Tax rate"]
        before = capital
        owed_days = a["Days until customers pay"]
        capital = (
            revenue * owed_days + cost * (a["Days in stock"] - a["Days until suppliers are paid"])
        ) / 365
        cash = after_tax + depreciation - investment - (capital - before)
        discount = (1 + capital_cost) ** -float(year)
        present = present + cash * discount
        least = np.minimum(least, cash)
        ebitdas, revenues = ebitdas + ebitda, revenues + revenue
    for_ever = np.minimum(a["Growth for ever"], capital_cost - 0.01)
    enterprise = present + cash * (1 + for_ever) / (capital_cost - for_ever) * discount
    equity = np.maximum(0, enterprise - a["Net debt"])
    share = np.floor(equity / a["Shares"] * 100 + 0.5) / 100
    distress = np.where((least < a["Cash floor"]) | (equity == 0), 1.0, 0.0)
    return [enterprise, equity, share, ebitdas / revenues, distress]


def project(draws: Draws) -> list[Floats]:
    """Plan a building: ten tasks, events, price levels and a penalty."""
    classes = {name: (factor, chance) for name, factor, chance in models.RISK_CLASSES}
    days_at = np.array([days for days, _ in models.PRICE_STEPS], dtype=float)
    prices = np.array([price for _, price in models.PRICE_STEPS])
    ends: list[Any] = []
    direct: Any = 0.0
    events: Any = 0.0
    for row, (_, risk, _, cost, before) in enumerate(models.TASKS, 2):
        factor, chance = classes[risk]
        happens = draws[f"Plan!G{row}"] < chance
        days = draws[f"Plan!C{row}"] * factor + np.where(happens, draws[f"Plan!H{row}"], 0.0)
        start: Any = 0.0
        for number in before:
            start = np.maximum(start, ends[number - 1])
        end = start + np.ceil(days)
        ends.append(end)
        direct = direct + days * cost * prices[np.searchsorted(days_at, end, side="right") - 1]
        events = events + happens
    finish = np.maximum.reduce(ends)
    late = np.maximum(0, finish - models.DEADLINE_DAYS)
    penalty = np.where(late > 60, 120_000 + (late - 60) * 5_000, late * 2_000)
    reserve = np.where(late == 0, 0.02, np.where(late > 60, 0.4, 0.1)) * direct
    return [direct + penalty + finish * draws["Plan!B19"] + reserve, finish, penalty, events]


def loans(draws: Draws) -> list[Floats]:
    """Follow a pool of loans through 360 months."""
    t: dict[str, Any] = {
        name: draws.get(f"Terms!B{row}", float(value))
        for row, (name, value, _) in enumerate(models.LOAN_TERMS, 1)
    }
    early_share = 1 - (1 - t["Paid back early, a year"]) ** (1 / 12)
    lost_share = 1 - (1 - t["Lost, a year"]) ** (1 / 12)
    owed: Any = t["Lent"]
    discount = 1 / (1 + t["Discount rate"] / 12)
    factor: Any = 1.0
    interests: Any = 0.0
    losses: Any = 0.0
    life: Any = 0.0
    value: Any = 0.0
    highest: Any = 0.0
    for month in models.MONTHS:
        yearly = draws[f"Terms!E{(month + 11) // 12}"] + t["Margin"]
        rate = np.clip(yearly, t["Lowest rate"], t["Highest rate"]) / 12
        payment = np.where(owed < 0.01, 0.0, owed * rate / (1 - (1 + rate) ** -(361.0 - month)))
        interest = owed * rate
        principal = np.minimum(owed, payment - interest)
        tired = np.where(rate * 12 > 0.06, t["Tired of paying early"], 1.0)
        early = (owed - principal) * early_share * min(1.0, month / 30) * tired
        lost = np.minimum(owed - principal - early, owed * lost_share)
        factor = factor * discount
        kept = lost * (1 - t["Loss given default"])
        value = value + (interest + principal + early + kept - owed * (t["Servicing"] / 12)) * factor
        interests, losses = interests + interest, losses + lost
        life = life + month * (principal + early)
        highest = np.maximum(highest, payment)
        owed = owed - principal - early - lost
    return [value - t["Lent"], interests, losses * t["Loss given default"], life / 12 / t["Lent"], highest]


BY_HAND = {"valuation": valuation, "project": project, "loans": loans}

if __name__ == "__main__":
    main()
