"""Turns the calls that draw, among the formulas that outputs need, into inputs of a run.

Where no argument of a call varies, its distribution is known and the call is drawn from it. Where one does, a number
between 0 and 1 is drawn, and the call turns it into its value in each iteration by the exact rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tollway.engine.distributions import Distribution, Uniform
from tollway.engine.distributions.parameters import BadDistribution
from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.drawn_calls import drawn_in, owner_of, unfused, with_elements
from tollway.engine.exact.drawn_values import FailedDrawError, read_arguments
from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.labels import label_of
from tollway.engine.language.syntax import Binary, Drawn, Node, Number, Percent, Unary
from tollway.engine.programs.matrix_calls import CorrelatedDraw, correlation_entries
from tollway.engine.programs.slicing import rebuilt
from tollway.engine.values import EngineError, UnsupportedFormula
from tollway.engine.written_inputs.adjusting import Draw, read_draw
from tollway.engine.written_inputs.directory import FUNCTIONS
from tollway.engine.written_inputs.worksheet import (
    INVERSES,
    RAND,
    RANDARRAY,
    RANDBETWEEN,
    array_element,
    array_shape,
    whole_ends,
)

FORMULA_LENGTH_SHOWN = 200
_CHANCE = Uniform(0.0, 1.0)

Varies = Callable[[Sequence[Node]], bool]


@dataclass(frozen=True, slots=True)
class WrittenInput:
    """One number that formulas draw: its place, the cell that people know it by, and its formula as written.

    `cell` is "Sheet!B5", and "Sheet!B5#2" for the second of several in one formula.
    """

    address: Address
    cell: str
    name: str | None
    distribution: Distribution
    formula: str
    is_computed: bool


@dataclass(frozen=True, slots=True)
class SettledDraws:
    """The inputs that formulas draw, by sheet, row, column and position, and what these say of correlation.

    Each correlation is an entry as `read_correlations` takes it, over cells of these inputs.
    """

    inputs: tuple[WrittenInput, ...] = ()
    correlations: tuple[dict[str, Any], ...] = ()


def draws_of(book: FormulaBook, order: Sequence[Address]) -> dict[Address, Drawn]:
    """The calls that draw in some formulas, by the place of what they draw, in the order of an input's position."""
    if not book.draw_count:
        # Known once the formulas are bound, and spares a look into each of them.
        return {}
    found = {node.chances[0].address: node for address in order for node in drawn_in(book.tree(address))}
    return dict(sorted(found.items()))


def settle_draws(
    book: FormulaBook,
    calculation: Calculation,
    order: Sequence[Address],
    draws: Mapping[Address, Drawn],
    varies: Varies,
) -> SettledDraws:
    """Make inputs of calls that draw, and let the formulas in `order` read what is held for them.

    `varies` tells whether parts of a formula depend on an input, or may.

    Raises: BadDistribution naming the cell and the function, UnsupportedFormula.
    """
    settled = {place: _settled(book, calculation, place, node, varies) for place, node in draws.items()}
    for address in order:
        tree = book.tree(address)
        if any(True for _ in drawn_in(tree)):
            book.put_tree(address, _rewritten(tree, settled))
    cells = _cell_names(book, settled)
    inputs: list[WrittenInput] = []
    correlated: list[CorrelatedDraw] = []
    for place, found in settled.items():
        owner = owner_of(place)
        if found.distribution is None:
            continue
        for chance, cell in zip(found.chances, cells[place], strict=True):
            inputs.append(
                WrittenInput(
                    chance,
                    cell,
                    found.name or _name(book, owner, cell),
                    found.distribution,
                    _formula(book, owner),
                    found.is_computed,
                )
            )
        correlated.extend(CorrelatedDraw(owner, cells[place][0], call) for call in draws[place].asides)
    entries = correlation_entries(book, calculation, correlated, varies)
    return SettledDraws(tuple(inputs), tuple(entries))


def list_draws(
    book: FormulaBook,
    calculation: Calculation,
    draws: Mapping[Address, Drawn],
    varies: Varies,
    count_max: int,
) -> ListedDraws:
    """Tell of calls that draw, the first so many of them, without changing a formula; what is wrong is told too."""
    settled: dict[Address, _Settled] = {}
    problems: dict[Address, str] = {}
    for place, node in list(draws.items())[:count_max]:
        try:
            settled[place] = _settled(book, calculation, place, node, varies)
        except EngineError as refusal:
            problems[place] = refusal.message
            settled[place] = _Settled(node, (place,))
    cells = _cell_names(book, settled)
    correlated = [
        CorrelatedDraw(owner_of(place), cells[place][0], call)
        for place, one in settled.items()
        if one.distribution is not None
        for call in draws[place].asides
    ]
    unattached: dict[str, str] = {}
    # An input may name any number of matrices; as many as inputs are told of bound what they hold together.
    entries = correlation_entries(book, calculation, correlated[:count_max], varies, unattached)
    found: list[DrawFound] = []
    for place, one in settled.items():
        owner = owner_of(place)
        for cell in cells[place]:
            problem = problems.get(place) or unattached.get(cell)
            is_known = problem is None and not one.is_computed
            found.append(
                DrawFound(
                    cell,
                    one.name or _name(book, owner, cell),
                    _formula(book, owner),
                    one.distribution if is_known else None,
                    problem,
                )
            )
    return ListedDraws(found[:count_max], entries)


@dataclass(frozen=True, slots=True)
class ListedDraws:
    """What formulas draw, and the entries of correlation that they write, as `SettledDraws` has them."""

    inputs: list[DrawFound]
    correlations: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class DrawFound:
    """One number that the formulas of a workbook draw.

    `distribution` is None where it depends on other inputs, and where `problem` says why a run that needs it would be
    refused.
    """

    cell: str
    name: str | None
    formula: str
    distribution: Distribution | None
    problem: str | None

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "cell": self.cell,
            "name": self.name,
            "formula": self.formula,
            "distribution": None if self.distribution is None else self.distribution.as_json(),
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True)
class _Settled:
    """What becomes of one call: `node` stands in its place, with the calls inside it still to be replaced.

    `is_computed` says that the distribution is that of a chance alone, of which the call computes its value by
    arguments that vary.
    """

    node: Node
    chances: tuple[Address, ...] = ()
    distribution: Distribution | None = None
    name: str | None = None
    is_computed: bool = False


def _settled(
    book: FormulaBook, calculation: Calculation, place: Address, node: Drawn, varies: Varies
) -> _Settled:
    try:
        return _Settling(calculation, owner_of(place), varies).settled(node)
    except (BadDistribution, UnsupportedFormula) as refusal:
        raise _located(refusal, book, owner_of(place)) from None


class _Settling:
    def __init__(self, calculation: Calculation, owner: Address, varies: Varies) -> None:
        self.calculation = calculation
        self.owner = owner
        self.varies = varies

    def settled(self, node: Drawn) -> _Settled:
        place = node.chances[0].address
        parts = [*node.arguments, *(argument for one in node.properties for argument in one.arguments)]
        is_fixed = not self.varies(parts)
        drawn = replace(node, is_settled=True)
        if node.name == RAND:
            return _Settled(drawn, (place,), _CHANCE)
        if node.name == RANDARRAY:
            return self._array(node, is_fixed=is_fixed)
        if node.name in INVERSES:
            shape = self._inverted(node) if is_fixed else None
            if shape is None:
                return _Settled(unfused(node), (place,), _CHANCE, is_computed=not is_fixed)
            return _Settled(drawn, (place,), shape)
        if not is_fixed:
            return _Settled(node, (place,), _CHANCE, is_computed=True)
        given, said = self._arguments(node)
        if node.name == RANDBETWEEN and all(isinstance(one, float) for one in given):
            low, high = whole_ends(given[0], given[1])
            if low == high:
                return _Settled(_number(low))
        draw: Draw = read_draw(FUNCTIONS[node.name], given, said)
        if draw.is_locked:
            return _Settled(_number(draw.value))
        return _Settled(drawn, (place,), draw.distribution, draw.name)

    def _array(self, node: Drawn, *, is_fixed: bool) -> _Settled:
        if not is_fixed:
            raise UnsupportedFormula(
                "The formula calls RANDARRAY with a size or with ends that depend on an input, which is not supported "
                "yet; write RAND() into as many cells.",
                construct="RANDARRAY that depends on an input",
            )
        given, _ = self._arguments(node)
        shape = array_element(given)
        whole = with_elements(node, *array_shape(given))
        places = tuple(chance.address for chance in whole.chances)
        return _Settled(replace(whole, is_settled=True), places, shape)

    def _inverted(self, node: Drawn) -> Distribution | None:
        """The distribution that an inverse of RAND() draws from; None where it is to be computed as Excel does."""
        try:
            given, _ = self._arguments(node)
            return INVERSES[node.name].build(given)
        except (BadDistribution, ValueError):
            # #NUM! in every iteration, as Excel has it.
            return None

    def _arguments(self, node: Drawn) -> Any:
        try:
            return self.calculation.answered(
                self.owner, lambda interpreter: read_arguments(interpreter, node)
            )
        except FailedDrawError as failed:
            function = FUNCTIONS.get(node.name)
            name = node.name if function is None else function.name
            raise BadDistribution(
                f"{name}: an argument is {failed.error.text}; correct the cell that it refers to."
            ) from None


def _number(value: float) -> Node:
    return Number(value) if value >= 0 else Unary("-", Number(-value))


def _rewritten(tree: Node, settled: Mapping[Address, _Settled]) -> Node:
    """A formula with what was settled in place of its calls."""

    def change(node: Node) -> Node:
        # Chains of operators lean to the left and may be thousands long: walked, not recursed into.
        spine: list[Binary | Percent] = []
        while isinstance(node, (Binary, Percent)):
            spine.append(node)
            node = node.left if isinstance(node, Binary) else node.operand
        if isinstance(node, Drawn) and not node.is_settled:
            node = settled[node.chances[0].address].node
        changed = node if isinstance(node, Drawn) and node.is_settled else rebuilt(node, change)
        for step in reversed(spine):
            changed = (
                Percent(changed)
                if isinstance(step, Percent)
                else Binary(step.operator, changed, change(step.right))
            )
        return changed

    return change(tree)


def _cell_names(book: FormulaBook, settled: Mapping[Address, _Settled]) -> dict[Address, list[str]]:
    counts: dict[Address, int] = {}
    for place, found in settled.items():
        counts[owner_of(place)] = counts.get(owner_of(place), 0) + len(found.chances)
    named: dict[Address, int] = {}
    cells: dict[Address, list[str]] = {}
    for place, found in settled.items():
        owner = owner_of(place)
        written = book.text(owner)
        if counts[owner] == 1:
            cells[place] = [written] * len(found.chances)
            continue
        first = named.get(owner, 0)
        named[owner] = first + len(found.chances)
        cells[place] = [f"{written}#{first + number}" for number in range(1, len(found.chances) + 1)]
    return cells


def _name(book: FormulaBook, owner: Address, cell: str) -> str | None:
    label = label_of(book, owner)
    _, mark, number = cell.rpartition("#")
    is_one_of_several = bool(mark) and number.isdigit() and cell != book.text(owner)
    return f"{label} #{number}" if label is not None and is_one_of_several else label


def _formula(book: FormulaBook, owner: Address) -> str:
    cell = book.cell(owner)
    formula = cell.formula if cell is not None and cell.formula is not None else ""
    return f"={formula}"[:FORMULA_LENGTH_SHOWN]


def _located(refusal: EngineError, book: FormulaBook, owner: Address) -> EngineError:
    if not refusal.cells:
        refusal.cells = (book.text(owner),)
        refusal.message = f"{book.text(owner)}: {refusal.message}"
        refusal.args = (refusal.message,)
    return refusal
