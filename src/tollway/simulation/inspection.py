"""Asks a child process about an uploaded workbook; the file is never parsed in the process that serves.

The child has its own memory and CPU limits (`reading`), inherits no descriptor and no secret from the
environment, and is killed when it takes too long or its caller goes away.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tollway.simulation.children import ChildEnded, ask_child
from tollway.simulation.entities import SAMPLING_METHODS, InputMark, Inspected, InspectionBusy, RunPlan
from tollway.simulation.reading import UNSUPPORTED_NAMED_MAX, answer_question
from tollway.simulation.refusals import BadFitData, TooComplex, UnsupportedFunction, refusal

CHILDREN_MAX = 2
WAITING_MAX = 20
CHILD_SECONDS_MAX = 60.0
# The workbook is read once for so many runs of a batch, whose building must fit a child's time together.
PLANNED_TOGETHER_MAX = 5
# The workbooks of a batch are read one after the other, all of them together in so long.
BATCH_SECONDS_MAX = 120.0
# X22: a workbook may unpack to 20 times its plan's file size.
UNPACKED_TIMES_MAX = 20


@dataclass(frozen=True, slots=True)
class RunQuestion:
    """What a run is to be of, before any look into the workbook.

    Args:
        inputs: cells with their distributions; a cell without a sheet means the first visible one.
        outputs: cells.
        seed: of the run.
        pointers: where inputs, outputs, correlations and stress stand in the caller's request, for the Problem.
        sampling: one of SAMPLING_METHODS.
        run_iterations: how long the run is, which some methods draw by.
        correlations: entries as the engine reads them.
        stress: likewise.
        are_inputs_asked: they were named for these outputs; those that a model has marked may be more than these need.
    """

    inputs: Sequence[InputMark]
    outputs: Sequence[str]
    seed: int
    pointers: tuple[str, ...]
    sampling: str = SAMPLING_METHODS[0]
    run_iterations: int | None = None
    correlations: Sequence[dict[str, Any]] = ()
    stress: Sequence[dict[str, Any]] = ()
    are_inputs_asked: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return what the child process is asked."""
        return {
            "inputs": [one.as_json() for one in self.inputs],
            "outputs": list(self.outputs),
            "seed": self.seed,
            "sampling": self.sampling,
            "run_iterations": self.run_iterations,
            "correlations": list(self.correlations),
            "stress": list(self.stress),
            "are_inputs_asked": self.are_inputs_asked,
        }

    def plan_of(self, answer: dict[str, Any]) -> RunPlan:
        """Put what the child process answered together with what was asked."""
        return RunPlan(
            inputs=[
                {"cell": cell, "reference": one.cell, "name": name, "distribution": one.distribution}
                for cell, name, one in zip(answer["inputs"], answer["input_names"], self.inputs, strict=False)
            ]
            + answer["written"],
            outputs=[
                {"cell": cell, "reference": reference, "name": name}
                for cell, reference, name in zip(
                    answer["outputs"], self.outputs, answer["output_names"], strict=True
                )
            ],
            bin_edges=answer["bin_edges"],
            seconds_per_iteration=answer["seconds_per_iteration"],
            correlations=answer["correlations"],
            stress=answer["stress"],
        )


class Inspector:
    """Starts children: two at once for each server process, the rest wait, and too many are turned away."""

    def __init__(
        self,
        *,
        children_max: int = CHILDREN_MAX,
        seconds_max: float = CHILD_SECONDS_MAX,
        batch_seconds_max: float = BATCH_SECONDS_MAX,
    ) -> None:
        self.batch_seconds_max = batch_seconds_max
        self._children = asyncio.Semaphore(children_max)
        self._seconds_max = seconds_max
        self._waiting = 0

    async def inspect(self, workbook: Path, file_bytes_max: int) -> Inspected:
        """Say what a workbook holds; formulas that are not computed are listed among it.

        Raises: the Problem that tells why it cannot be used; UnsupportedFunction where not one formula is computed.
        """
        answer = await self._ask("inspect", workbook, file_bytes_max, {})
        found = answer["found"]
        if found["unsupported"] and not found["computable_count"]:
            raise _nothing_supported(found)
        formulas_count = found.pop("formulas_count")
        return Inspected(formulas_count=formulas_count, facts=found, preview=answer["preview"])

    async def plan_run(
        self,
        workbook: Path,
        file_bytes_max: int,
        inputs: Sequence[InputMark],
        outputs: Sequence[str],
        seed: int,
        *,
        pointers: tuple[str, ...],
        sampling: str = SAMPLING_METHODS[0],
        run_iterations: int | None = None,
        correlations: Sequence[dict[str, Any]] = (),
        stress: Sequence[dict[str, Any]] = (),
        are_inputs_asked: bool = False,
    ) -> RunPlan:
        """Build what a run with these inputs and outputs would execute, and measure one block of it.

        Args:
            workbook: a local copy of the file.
            file_bytes_max: of the plan; the unpacked size follows from it.
            inputs, outputs and the others: as RunQuestion has them.

        Raises: the Problem that names the cell or the field.
        """
        asked = RunQuestion(
            inputs,
            outputs,
            seed,
            pointers,
            sampling,
            run_iterations,
            correlations,
            stress,
            are_inputs_asked,
        )
        answer = await self._ask("plan", workbook, file_bytes_max, asked.as_json(), where=pointers)
        return asked.plan_of(answer)

    async def plan_runs(
        self, workbook: Path, file_bytes_max: int, runs: Sequence[RunQuestion]
    ) -> list[RunPlan]:
        """Do the same for several runs of one workbook, a few in each child, one child after the other.

        Raises: the Problem that names the cell or the field, by the pointers of the run that it is about.
        """
        plans: list[RunPlan] = []
        for first in range(0, len(runs), PLANNED_TOGETHER_MAX):
            part = runs[first : first + PLANNED_TOGETHER_MAX]
            question = {"runs": [one.as_json() for one in part]}
            answer = await self._ask(
                "plan_all", workbook, file_bytes_max, question, where=[one.pointers for one in part]
            )
            plans += [one.plan_of(found) for one, found in zip(part, answer["plans"], strict=True)]
        return plans

    async def plan_seek(
        self, workbook: Path, file_bytes_max: int, question: dict[str, Any], pointers: dict[str, str]
    ) -> dict[str, Any]:
        """Build what a goal seek would execute, and measure one block of it.

        Args:
            workbook: a local copy of the file.
            file_bytes_max: of the plan.
            question: as `reading.plan_seek` takes it.
            pointers: where each of its members stands in the caller's request, for the Problem.

        Returns: cells qualified and named, variables, correlations, stress and seconds_per_iteration.
        Raises: the Problem that names the cell or the field.
        """
        return await self._ask("plan_seek", workbook, file_bytes_max, question, where=pointers)

    async def fit(
        self,
        *,
        values_max: int,
        values: Sequence[float] | None = None,
        file: Path | None = None,
        file_bytes_max: int = 0,
        cells: str = "",
        types: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Say which distributions may have drawn numbers, in the form of `fitting.fit`.

        Args:
            values_max: how many numbers are fitted at most.
            values: the numbers, or None to read them from a file.
            file: a local .xlsx, .xlsm or .csv file.
            file_bytes_max: of the plan.
            cells: where in the file, such as "Sheet1!A2:A500".
            types: of the distributions to try, or None for all.

        Raises: BadFitData, InspectionBusy, and what says that a file cannot be read.
        """
        question = {
            "values_max": values_max,
            "values": None if values is None else list(values),
            "cells": cells,
            "types": None if types is None else list(types),
        }
        try:
            return await self._ask("fit", file or Path(), file_bytes_max, question, where=())
        except TooComplex as failure:
            raise BadFitData(
                "Fitting these data needs more memory or time than one fit may take; take a part of them.",
                log_message=failure.log_message,
            ) from failure

    async def _ask(
        self,
        ask: str,
        workbook: Path,
        file_bytes_max: int,
        question: dict[str, Any],
        where: "_Where | Sequence[_Where] | None" = None,
    ) -> dict[str, Any]:
        if self._waiting >= WAITING_MAX:
            raise InspectionBusy(
                f"{WAITING_MAX} workbooks already wait to be read. Send yours again in a few seconds.",
                retry_after_seconds=5,
            )
        self._waiting += 1
        try:
            async with self._children:
                answer = await self._child(
                    {
                        "ask": ask,
                        "path": str(workbook),
                        "file_bytes_max": file_bytes_max,
                        "unpacked_bytes_max": file_bytes_max * UNPACKED_TIMES_MAX,
                    }
                    | question
                )
        finally:
            self._waiting -= 1
        if "refused" in answer:
            raise _refused(answer["refused"], where)
        return answer

    async def _child(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = await ask_child(answer_question, question, self._seconds_max)
        except ChildEnded as ended:
            raise _too_complex(str(ended)) from ended
        return found


_Where = tuple[str, ...] | dict[str, str]


def _too_complex(reason: str) -> TooComplex:
    return TooComplex(
        "Reading this workbook needs more memory or time than one workbook may take. "
        "Remove sheets, rows and formats that the model does not need, save it again and upload it.",
        log_message=f"workbook refused: {reason}",
    )


def _nothing_supported(found: dict[str, Any]) -> UnsupportedFunction:
    named, count = found["unsupported"][:UNSUPPORTED_NAMED_MAX], found["unsupported_count"]
    functions = sorted({one["function"] for one in named})
    first = ", ".join(one["cell"] for one in named[:3])
    return UnsupportedFunction(
        f"No formula of the workbook can be computed: all need {' or '.join(functions)} (first in {first}), "
        "which is not computed yet. Nothing is computed wrongly instead: replace these formulas and upload the "
        "workbook again.",
        members={"cells": named, "cells_count": count},
    )


def _refused(refused: dict[str, Any], where: _Where | Sequence[_Where] | None) -> Exception:
    if refused["code"] == TooComplex.code:
        return _too_complex("memory or recursion limit")
    if isinstance(where, list):
        # Of which run it is stands before the field: `runs.2.inputs.0.cell`.
        _, index, field = refused["field"].split(".", 2)
        return _refused(refused | {"field": field or None}, where[int(index)])
    assert where is None or isinstance(where, tuple | dict), where
    pointer = None if where is None else _pointer(refused, where)
    if refused["code"] == UnsupportedFunction.code:
        named = [
            {"cell": cell, "function": refused["construct"]}
            for cell in refused["cells"][:UNSUPPORTED_NAMED_MAX]
        ]
        members = {"cells": named, "cells_count": len(refused["cells"])}
        return refusal(refused["code"], refused["message"], members=members, pointer=pointer)
    return refusal(refused["code"], refused["message"], cells=refused["cells"], pointer=pointer)


def _pointer(refused: dict[str, Any], where: _Where) -> str | None:
    """Find the part of the request that the engine's refusal is about.

    The engine writes `inputs.0.distribution.std` and `outputs.1`; older clients know other names for these. Where none
    are told, the engine's names are the request's own.
    """
    if not where:
        steps = (refused["field"] or "").replace("[", ".").replace("]", "").split(".")
        return "/" + "/".join(steps) if refused["field"] else None
    side, _, rest = (refused["field"] or "").partition(".")
    if not isinstance(where, dict):
        where = dict(zip(("inputs", "outputs", "correlations", "stress"), where, strict=False))
    pointer = where.get(side)
    if pointer is None:
        return None
    steps = rest.replace("[", ".").replace("]", "").split(".") if rest else []
    return "/".join([pointer, *steps])
