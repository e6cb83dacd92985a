"""Goal seek: at what number in one cell does a statistic of an output reach a goal.

Every trial draws the same numbers, so the statistic is a fixed function of the number sought, without noise between
trials, and a bracketing root finder can be trusted with it. What remains is the error of the draws themselves, which
is told as the standard error of the answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from tollway.engine.distributions import Uniform
from tollway.engine.distributions.pert import Floats
from tollway.engine.exact.graph import FormulaBook
from tollway.engine.programs.evaluate import evaluate
from tollway.engine.programs.program import Input, Program, build_program, find_address
from tollway.engine.runs.moments import BLOCK_ITERATIONS
from tollway.engine.sampling.correlation import RankCorrelation
from tollway.engine.sampling.correlation_entries import BadCorrelation
from tollway.engine.sampling.draws import PLAIN, Sampling, draws_from_uniforms, uniform_rows
from tollway.engine.sampling.stress import BadStress
from tollway.engine.values import BadInputCell, EngineError
from tollway.engine.workbooks.workbook import Workbook

SEEK_ITERATIONS_MAX = 200_000
EVALUATIONS_MAX = 60
"""Trials of one search, those for its standard error included."""
TOLERANCE_DEFAULT = 1e-4
TOLERANCE_MIN, TOLERANCE_MAX = 1e-12, 0.1
# Where both ends lie on one side of the goal, so many places between them are tried before that is believed.
_PLACES_TRIED = 9
# The slope at the answer is measured over so much of the range on either side.
_SLOPE_REACH = 0.01
# What is achieved lies at a jump where it is off by more than so many tolerances of what was seen, and by more than its
# error.
_JUMP_TOLERANCES = 10
# Draws of all trials are kept where they take no more than this; else they are drawn anew each time.
_DRAWS_BYTES_MAX = 128_000_000

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,6})?)")


class BadGoalSeek(EngineError):
    """A search that cannot be meant: no range, no such statistic, or a goal that none can have."""

    code = "bad-goal-seek"


@dataclass(frozen=True)
class Statistic:
    """A statistic that a goal is set for: `mean`, a percentile such as `p5`, or `probability` of a value or less."""

    name: str
    at_or_below: float | None = None
    """The value whose probability is meant; None for the others."""

    def of(self, numbers: Floats) -> tuple[float, float] | None:
        """Its value over numbers and its standard error by chance; None where there are too few numbers.

        A percentile is interpolated as Excel's PERCENTILE.INC, and its error is half the distance of the values whose
        ranks lie one standard deviation of the binomial count to either side.
        """
        count = len(numbers)
        if count < 2:
            return None
        if self.name == "mean":
            return _finite(float(numbers.mean()), float(numbers.std(ddof=1)) / math.sqrt(count))
        if self.at_or_below is not None:
            share = float(np.count_nonzero(numbers <= self.at_or_below)) / count
            return share, math.sqrt(share * (1 - share) / count)
        share = float(self.name[1:]) / 100
        reach = math.sqrt(share * (1 - share) / count)
        around = np.clip([share, share - reach, share + reach], 0, 1)
        value, below, above = np.quantile(numbers, around).tolist()
        return _finite(value, (above - below) / 2)


def _finite(value: float, error: float) -> tuple[float, float] | None:
    return (value, error) if math.isfinite(value) and math.isfinite(error) else None


def parse_statistic(name: object, at_or_below: object = None) -> Statistic:
    """Read `mean`, `p5` to `p99.9`, or `probability` with its value. Raises: BadGoalSeek."""
    percentile = _PERCENTILE.fullmatch(name) if isinstance(name, str) else None
    if name not in ("mean", "probability") and not (percentile and float(percentile[1]) > 0):
        raise BadGoalSeek(
            f"The statistic is {str(name)[:40]!r}; it must be mean, a percentile such as p5 or p97.5, or probability.",
            field="statistic",
        )
    if name != "probability":
        if at_or_below is not None:
            raise BadGoalSeek(
                f"`at_or_below` belongs to the statistic `probability`, and the statistic is {name}; leave it out.",
                field="at_or_below",
            )
        return Statistic(str(name))
    if at_or_below is None:
        raise BadGoalSeek(
            "The statistic `probability` needs `at_or_below`: the value whose probability is meant.",
            field="at_or_below",
        )
    return Statistic("probability", _number(at_or_below, "at_or_below"))


@dataclass(frozen=True)
class GoalSeek:
    """What is sought: the number in `cell`, from `low` to `high`, at which a statistic of `output` is `goal`."""

    cell: str
    low: float
    high: float
    output: str
    statistic: Statistic
    goal: float
    tolerance: float = TOLERANCE_DEFAULT
    """How closely the number is sought, as a share of `high` - `low`."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant. Raises: BadGoalSeek."""
        for name in ("low", "high", "goal", "tolerance"):
            object.__setattr__(self, name, _number(getattr(self, name), name))
        if not self.low < self.high:
            raise BadGoalSeek(
                f"The number is sought from {self.low:g} to {self.high:g}; the first must be below the second.",
                field="high",
            )
        if not math.isfinite(self.high - self.low):
            raise BadGoalSeek("The range of the number sought is too wide; narrow it.", field="high")
        if not TOLERANCE_MIN <= self.tolerance <= TOLERANCE_MAX:
            raise BadGoalSeek(
                f"The tolerance is {self.tolerance:g}; it must lie between {TOLERANCE_MIN:g} and {TOLERANCE_MAX:g}, as "
                "a share of the range.",
                field="tolerance",
            )
        if self.statistic.name == "probability" and not 0 < self.goal < 1:
            raise BadGoalSeek(
                f"The goal is a probability of {self.goal:g}; it must lie between 0 and 1, such as 0.05.",
                field="goal",
            )


def _number(given: object, name: str) -> float:
    if isinstance(given, bool) or not isinstance(given, Real) or not math.isfinite(float(given)):
        raise BadGoalSeek(f"`{name}` is {str(given)[:40]!r}; it must be a number.", field=name)
    return float(given)


@dataclass(frozen=True)
class SeekProgram:
    """A program whose input at `sought_index` is given a number instead of draws.

    `is_extra`: whether that is a cell which a run would not draw. It then takes the last place of the random numbers,
    behind inputs that formulas draw by themselves too, so that all others draw what they draw in a run.
    """

    program: Program
    sought_index: int
    is_extra: bool = False

    @property
    def places(self) -> list[int]:
        """Which row of the random numbers each input takes."""
        count = len(self.program.inputs)
        if not self.is_extra:
            return list(range(count))
        sought = self.sought_index
        return [count - 1 if row == sought else row - (row > sought) for row in range(count)]


def build_seek_program(workbook: Workbook, inputs: Sequence[Input], seek: GoalSeek) -> SeekProgram:
    """Build the program of a search once, for all its trials.

    The cell sought is one of the inputs, which is then held at a number; or another cell with a constant number, which
    becomes one more input.

    Raises: BadInputCell naming `cell` where that cannot be set, and whatever build_program raises.
    """
    book = FormulaBook(workbook)
    sought = find_address(book, seek.cell, BadInputCell, "cell")
    places = [
        find_address(book, one.cell, BadInputCell, f"inputs.{at}.cell") for at, one in enumerate(inputs)
    ]
    varied = list(inputs)
    is_extra = sought not in places
    if is_extra:
        # What it would be drawn from is never asked.
        varied.append(Input(seek.cell, Uniform(0.0, 1.0)))
        places.append(sought)
    index = places.index(sought)
    try:
        program = build_program(workbook, varied, [seek.output])
        if index in program.unread:
            raise BadInputCell(
                f"{program.outputs[0]} does not depend on {program.inputs[index].cell}, whatever is put there; seek a "
                "cell that it depends on.",
                cells=(program.inputs[index].cell,),
                field="cell",
            )
        return SeekProgram(program, index, is_extra)
    except EngineError as refused:
        if refused.field == f"inputs.{len(inputs)}.cell":
            refused.field = "cell"
        elif refused.field is not None and refused.field.startswith("outputs"):
            refused.field = "output"
        raise


def check_sought(
    built: SeekProgram, correlation: RankCorrelation | None, stress: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse to correlate or to hold the cell sought, which has one number in each trial.

    Takes what `read_correlations` and `read_stress` gave for the program built. An input that is sought may be
    correlated: the others then draw what they draw in a run.

    Raises: BadCorrelation naming `correlations`, BadStress naming `stress.N.cell`.
    """
    sought = built.program.inputs[built.sought_index].cell
    if built.is_extra and correlation is not None and sought in correlation.cells:
        raise BadCorrelation(
            f"{sought} is correlated, and it is sought: it has one number in each trial. Leave it out.",
            cells=(sought,),
            field="correlations",
        )
    for index, one in enumerate(stress):
        if one["cell"] == sought:
            raise BadStress(
                f"{sought} is sought, so it has one number in each trial and cannot be held in a range; leave one of "
                "the two out.",
                cells=(sought,),
                field=f"stress.{index}.cell",
            )


@dataclass(frozen=True)
class Trial:
    """What the statistic was with a number in the cell sought."""

    value: float
    statistic: float
    standard_error: float
    error_count: int
    """Iterations in which the output was no number; they are left out."""


@dataclass(frozen=True)
class GoalSeekAnswer:
    """Where the goal is reached, or why not.

    `outcome` is "found"; "jump", where the statistic steps over the goal and `value` is the nearer side;
    "out_of_reach", where no place tried between the ends reaches it, and `value` is the nearest; or "undefined", where
    the output has no number at `value`.
    """

    outcome: str
    cell: str
    output: str
    value: float | None
    statistic: float | None
    """Achieved at `value`."""
    standard_error: float | None
    """Of that statistic, by chance."""
    value_standard_error: float | None
    """How far other draws would move `value`, one standard deviation: the error above over the slope."""
    bracket: tuple[Trial, Trial] | None
    """The two trials nearest to each other on either side of the goal, by value; None where it lies on one side."""
    ends: tuple[Trial, Trial] | None
    """At `low` and `high`."""
    trials: tuple[Trial, ...]
    """In the order they were made."""
    iterations: int
    """Of each trial."""

    def as_json(self) -> dict[str, Any]:
        """Give plain types."""
        return asdict(self)


class _Undefined(Exception):
    """The output has no statistic at a number tried."""

    def __init__(self, value: float) -> None:
        super().__init__(value)
        self.value = value


def seek_goal(
    built: SeekProgram,
    seek: GoalSeek,
    *,
    iterations: int,
    seed: int,
    sampling: Sampling = PLAIN,
    known: Sequence[Trial] = (),
    on_trial: Callable[[Trial], None] | None = None,
) -> GoalSeekAnswer:
    """Search for the number by Brent's method, at most EVALUATIONS_MAX trials of `iterations` each.

    Args:
        built: what `build_seek_program` gave, its inputs held where stress asks for it.
        seek: what is sought.
        iterations: of each trial, 2 to SEEK_ITERATIONS_MAX.
        seed: of the draws, the same for every trial.
        sampling: the method, and the correlation of inputs.
        known: trials of this very search that were made before it was stopped; they are not made again.
        on_trial: told of each trial that is made; may raise to stop.

    Source: Brent 1973, "Algorithms for minimization without derivatives", chapter 4.

    INVARIANT: the same question has the same answer to the last bit
    (tests/engine/test_goal_seek.py::test_the_same_question_has_the_same_answer).
    """
    assert 2 <= iterations <= SEEK_ITERATIONS_MAX, iterations
    sampling = replace(
        sampling, run_iterations=iterations, correlation=_placed(sampling.correlation, built.places)
    )
    trials = _Trials(built, seek, iterations, seed, sampling, known, on_trial)
    try:
        ends = (trials.at(seek.low), trials.at(seek.high))
        start = _sign_change(trials, seek)
        if start is None:
            nearest = min(trials.made, key=lambda trial: abs(trial.statistic - seek.goal))
            return _answer(trials, "out_of_reach", nearest, ends)
        found = _root(trials, seek, start)
        seen = [trial.statistic for trial in trials.made]
        allowed = _JUMP_TOLERANCES * seek.tolerance * (max(seen) - min(seen))
        # Shares move in steps of one iteration, which are far below their error and no jumps.
        if abs(found.statistic - seek.goal) > max(allowed, found.standard_error):
            return _answer(trials, "jump", found, ends)
        return _answer(trials, "found", found, ends, _value_error(trials, seek, found))
    except _Undefined as undefined:
        made = trials.made
        reached = (made[0], made[1]) if len(made) > 1 else None
        return _answer(trials, "undefined", None, reached, value=undefined.value)


def _placed(correlation: RankCorrelation | None, places: Sequence[int]) -> RankCorrelation | None:
    """Say of the rows of the random numbers what is said of the inputs that take them."""
    if correlation is None:
        return None
    rows = [places[index] for index in correlation.input_indexes]
    order = sorted(range(len(rows)), key=rows.__getitem__)
    return replace(
        correlation,
        cells=tuple(correlation.cells[place] for place in order),
        input_indexes=tuple(rows[place] for place in order),
        matrix=tuple(tuple(correlation.matrix[row][column] for column in order) for row in order),
    )


def _sign_change(trials: _Trials, seek: GoalSeek) -> tuple[Trial, Trial] | None:
    """Two trials with the goal between them: the ends, or neighbours among places between the ends."""
    low, high = trials.made[0], trials.made[1]
    if _parted(low, high, seek.goal):
        return low, high
    before = low
    for place in range(1, _PLACES_TRIED + 1):
        here = trials.at(seek.low + (seek.high - seek.low) * place / (_PLACES_TRIED + 1))
        if _parted(before, here, seek.goal):
            return before, here
        before = here
    return None


def _parted(left: Trial, right: Trial, goal: float) -> bool:
    """Whether the goal lies between two trials, or at one of them."""
    return min(left.statistic, right.statistic) <= goal <= max(left.statistic, right.statistic)


def _root(trials: _Trials, seek: GoalSeek, start: tuple[Trial, Trial]) -> Trial:
    from scipy.optimize import brentq

    left, right = start
    if seek.goal not in (left.statistic, right.statistic):
        # Two trials are left for the slope at the answer.
        brentq(
            lambda value: trials.at(value).statistic - seek.goal,
            left.value,
            right.value,
            xtol=seek.tolerance * (seek.high - seek.low),
            maxiter=EVALUATIONS_MAX - len(trials.made) - 2,
            disp=False,
        )
    # The last of equal ones lies nearest to where the search ended.
    return min(reversed(trials.made), key=lambda trial: abs(trial.statistic - seek.goal))


def _value_error(trials: _Trials, seek: GoalSeek, found: Trial) -> float | None:
    """The error of the statistic over its slope, by the trials on both sides of the answer."""
    reach = _SLOPE_REACH * (seek.high - seek.low)
    below, above = (trials.at(min(max(found.value + side, seek.low), seek.high)) for side in (-reach, reach))
    rise = above.statistic - below.statistic
    slope = rise / (above.value - below.value)
    error = found.standard_error / abs(slope) if slope else math.inf
    return error if math.isfinite(error) else None


def _answer(
    trials: _Trials,
    outcome: str,
    found: Trial | None,
    ends: tuple[Trial, Trial] | None,
    value_error: float | None = None,
    *,
    value: float | None = None,
) -> GoalSeekAnswer:
    return GoalSeekAnswer(
        outcome=outcome,
        cell=trials.cell,
        output=trials.output,
        value=value if found is None else found.value,
        statistic=None if found is None else found.statistic,
        standard_error=None if found is None else found.standard_error,
        value_standard_error=value_error,
        bracket=_bracket(trials.made, trials.goal) if outcome in ("found", "jump") else None,
        ends=ends,
        trials=tuple(trials.made),
        iterations=trials.iterations,
    )


def _bracket(made: Sequence[Trial], goal: float) -> tuple[Trial, Trial] | None:
    """The narrowest pair of neighbours by value with the goal between them."""
    ordered = sorted(made, key=lambda trial: trial.value)
    pairs = [pair for pair in pairwise(ordered) if _parted(*pair, goal)]
    return min(pairs, key=lambda pair: pair[1].value - pair[0].value, default=None)


class _Trials:
    """Evaluates the program with numbers in the cell sought, always on the same draws; remembers each number."""

    def __init__(
        self,
        built: SeekProgram,
        seek: GoalSeek,
        iterations: int,
        seed: int,
        sampling: Sampling,
        known: Sequence[Trial],
        on_trial: Callable[[Trial], None] | None,
    ) -> None:
        self.program, self.sought_index = built.program, built.sought_index
        self._places = built.places
        self.cell, [self.output] = built.program.inputs[built.sought_index].cell, built.program.outputs
        self.statistic, self.goal = seek.statistic, seek.goal
        self.iterations, self.seed, self.sampling = iterations, seed, sampling
        self.made: list[Trial] = []
        self._by_value: dict[float, Trial] = {}
        self._known = {trial.value: trial for trial in known}
        self._on_trial = on_trial
        kept_bytes = 8 * len(self.program.inputs) * iterations
        self._draws: dict[int, Floats] | None = {} if kept_bytes <= _DRAWS_BYTES_MAX else None

    def at(self, value: float) -> Trial:
        """The trial of a number. Raises: _Undefined where the output has no statistic there."""
        if value in self._by_value:
            return self._by_value[value]
        trial = self._known.get(value)
        if trial is None:
            trial = self._made_now(value)
            if self._on_trial is not None:
                self._on_trial(trial)
        self.made.append(trial)
        self._by_value[value] = trial
        return trial

    def _made_now(self, value: float) -> Trial:
        numbers: list[Floats] = []
        for first in range(0, self.iterations, BLOCK_ITERATIONS):
            draws = self._drawn(first)
            draws[self.sought_index] = value
            block = evaluate(self.program, draws)
            numbers.append(block.values[0][block.errors[0] == 0])
        kept = np.concatenate(numbers)
        found = self.statistic.of(kept)
        if found is None:
            raise _Undefined(value)
        return Trial(value, *found, self.iterations - len(kept))

    def _drawn(self, first: int) -> Floats:
        if self._draws is not None and first in self._draws:
            return self._draws[first]
        count = min(BLOCK_ITERATIONS, self.iterations - first)
        inputs = self.program.inputs
        rows = uniform_rows(self.seed, len(inputs), first, count, self.sampling)
        draws = draws_from_uniforms(inputs, rows[self._places])
        if self._draws is not None:
            self._draws[first] = draws
        return draws
