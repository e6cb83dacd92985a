"""The engine's refusals of a workbook, a mark or a distribution, as what a caller gets."""

import re
from typing import Any

from tollway.engine import EngineError
from tollway.kit.problems import FieldError, Invalid, Problem


class NotAWorkbook(Invalid):
    """The content is not a workbook that can be read."""

    code = "not-a-workbook"
    title = "The file is not a workbook that can be read"


class WorkbookTooLarge(Invalid):
    """The workbook unpacks to more, or holds more cells or formulas, than is allowed."""

    code = "workbook-too-large"
    title = "The workbook holds too much"


class TooComplex(Invalid):
    """The workbook needed more memory or time than reading one may take."""

    code = "too-complex"
    title = "The workbook is too complex"


class UnsupportedFunction(Invalid):
    """Formulas that are needed use functions that are not computed yet; nothing is computed from them."""

    code = "unsupported-function"
    title = "The workbook uses a function that is not supported"


class UnreadableFormula(Invalid):
    """A formula does not follow Excel's grammar."""

    code = "unreadable-formula"
    title = "A formula cannot be read"


class CircularReference(Invalid):
    """Cells need each other's value."""

    code = "circular-reference"
    title = "The workbook has a circular reference"


class TooManyReferences(Invalid):
    """Formulas read more cells than one calculation may."""

    code = "too-many-references"
    title = "Formulas read too many cells"


class BadInputCell(Invalid):
    """A cell named as an input cannot be one."""

    code = "bad-input-cell"
    title = "That cell cannot be an input"


class BadOutputCell(Invalid):
    """A cell named as an output cannot be one."""

    code = "bad-output-cell"
    title = "That cell cannot be an output"


class OutputIndependent(Invalid):
    """An output would be the same number in every iteration."""

    code = "output-does-not-depend-on-inputs"
    title = "That output does not depend on any input"


class BadDistribution(Invalid):
    """A distribution's parameters are missing or contradict each other."""

    code = "bad-distribution"
    title = "That distribution cannot be drawn from"


class BadCorrelation(Invalid):
    """A correlation is no number from -1 to 1, its matrix is none, or it names a cell that is no input."""

    code = "bad-correlation"
    title = "These correlations cannot be used"


class BadStress(Invalid):
    """An input is to be held in an empty part of its range, or is no input."""

    code = "bad-stress"
    title = "An input cannot be held there"


class BadFitData(Invalid):
    """Data are too few, too many or no numbers, or what is to be fitted cannot have drawn them."""

    code = "bad-fit-data"
    title = "These data cannot be fitted"


class BadGoalSeek(Invalid):
    """A search without a range, of a statistic that there is not, or for a goal that none can have."""

    code = "bad-goal-seek"
    title = "That goal cannot be sought"


# The engine's refusals by their code, as what a caller gets.
REFUSALS: dict[str, type[Problem]] = {
    leaf.code: leaf
    for leaf in (
        NotAWorkbook,
        WorkbookTooLarge,
        UnsupportedFunction,
        UnreadableFormula,
        CircularReference,
        TooManyReferences,
        BadInputCell,
        BadOutputCell,
        OutputIndependent,
        BadDistribution,
        BadCorrelation,
        BadStress,
        TooComplex,
    )
}
# What neither an upload nor a run is refused with.
_OTHER_REFUSALS: dict[str, type[Problem]] = {BadFitData.code: BadFitData, BadGoalSeek.code: BadGoalSeek}
CELLS_NAMED_MAX = 50


def refusal(
    code: str,
    message: str,
    *,
    cells: list[str] | None = None,
    pointer: str | None = None,
    members: dict[str, Any] | None = None,
) -> Problem:
    """Turn a refusal of the engine into the Problem that a caller gets; the first 50 cells are named."""
    extra = dict(members or {})
    if cells:
        extra["cells"] = cells[:CELLS_NAMED_MAX]
    errors = (FieldError(pointer, message),) if pointer else ()
    return (REFUSALS | _OTHER_REFUSALS).get(code, Invalid)(message, errors=errors, members=extra)


def refused_distribution(refused: EngineError, cell: str, pointer: str) -> Problem:
    """Say which cell's distribution is refused, and for which parameter, in the text too: logs show no pointers.

    Args:
        refused: its `field` is "distribution", "distribution.std", "distribution.values[3]" or the like.
        cell: as the caller wrote it.
        pointer: to the input in the body.
    """
    field = refused.field or "distribution"
    parameter = field.partition(".")[2]
    is_named = not parameter or re.search(rf"(?<!\w){re.escape(parameter)}(?!\w)", refused.message)
    about = cell if is_named else f"{cell}, {parameter}"
    where = re.sub(r"[.\[]", "/", field).replace("]", "")
    return refusal(refused.code, f"{about}: {refused.message}", cells=[cell], pointer=f"{pointer}/{where}")
