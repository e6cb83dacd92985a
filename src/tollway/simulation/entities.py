"""Models, runs and their parts; the rules about them that need no database."""

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from tollway.customers.entities import Mode
from tollway.kit.problems import (
    Conflict,
    Invalid,
    NotFound,
    TooMany,
    Unavailable,
    WrongType,
)

# Which arithmetic made a result: raised when the same run would give other bits.
ENGINE_VERSION = "1"
PRODUCT = "montecarlo"

ITERATIONS_MIN = 1_000
ITERATIONS_MAX = 100_000_000
SEED_MAX = 2**63 - 1
INPUTS_MAX = 1_000
OUTPUTS_MAX = 100
TARGETS_MAX = 20
TOLERANCE_DEFAULT = 0.03
# Of one cell, with its sheet.
REFERENCE_LENGTH_MAX = 100
# As the engine names them; the first is what runs are drawn by that ask for none.
SAMPLING_METHODS = ("monte_carlo", "latin_hypercube", "sobol")
# Where what is to be computed stands in a request.
ORDER_POINTER = "/simulation_config"
# Entries of a request, each a pair or a whole matrix, and the inputs that one matrix is over.
CORRELATIONS_MAX = 1_000
CORRELATED_INPUTS_MAX = 200


class RunStatus(enum.StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing more will be computed."""
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class InputMark:
    """A cell whose number is drawn: as the customer wrote it, and the distribution as JSON."""

    cell: str
    distribution: dict[str, Any]
    name: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what is stored and shown."""
        return {"cell": self.cell, "name": self.name, "distribution": self.distribution}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "InputMark":
        """Read back what `as_json` wrote; further members are left out."""
        return cls(stored["cell"], stored["distribution"], stored.get("name"))


def computed_words(source: Mapping[str, Any]) -> str | None:
    """Say which formula computes an input of a run from other inputs; None where it is drawn from its distribution."""
    return f"{source['written']}, computed from other inputs" if source.get("is_computed") else None


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the child process found in a workbook, as JSON-shaped plain values.

    `facts` has functions, variables_detected, outputs_detected, unsupported, blocked, sheets and agreement; `preview`
    has the cells that a page shows.
    """

    formulas_count: int
    facts: dict[str, Any]
    preview: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What the child process made of a run's request: cells qualified, and one measured block.

    Each input is {cell, reference, name, distribution}, each output {cell, reference, name}: `cell` with
    its sheet, `reference` as the customer wrote it. Inputs that formulas draw by themselves come behind those that were
    marked, and have their formula as `written` too. `bin_edges` holds 51 numbers for each output, for the
    live histogram. `seconds_per_iteration` was measured on one core. `correlations` is what the engine draws
    with, {cells, matrix, repaired}, or None.
    """

    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    bin_edges: list[list[float]]
    seconds_per_iteration: float
    correlations: dict[str, Any] | None = None
    # Inputs that are held in a part of their range: {cell, percentiles}.
    stress: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What a customer asks for; inputs and outputs that are None are those that the model has marked.

    Inputs that are an empty list are none: a run of a workbook that draws by itself, whatever is marked by now.
    """

    model_id: str
    iterations: int
    inputs: list[InputMark] | None
    outputs: list[str] | None
    confidence_levels: list[float]
    seed: int | None
    # Where its end is told, beside the webhooks that the customer has.
    webhook_url: str | None = None
    sampling: str = SAMPLING_METHODS[0]
    # Entries as the API takes them: {cells, correlation} or {cells, matrix}.
    correlations: list[dict[str, Any]] = field(default_factory=list)
    # Entries as the API takes them: {cell, percentiles: [low, high]}.
    stress: list[dict[str, Any]] = field(default_factory=list)
    # Values whose probability is asked for, and how closely statistics must be known, as a share of them.
    targets: list[float] = field(default_factory=list)
    tolerance: float = TOLERANCE_DEFAULT
    # Whether every draw and value is kept, to be downloaded.
    keep_samples: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return what tells two orders apart; one that asks for neither is written as before there were both."""
        told = asdict(self)
        if self.sampling == SAMPLING_METHODS[0]:
            del told["sampling"]
        if not self.correlations:
            del told["correlations"]
        if not self.targets:
            del told["targets"]
        if self.tolerance == TOLERANCE_DEFAULT:
            del told["tolerance"]
        if not self.stress:
            del told["stress"]
        if not self.keep_samples:
            del told["keep_samples"]
        return told


@dataclass(frozen=True, slots=True)
class StoredWorkbook:
    """An uploaded file that was inspected and stored, waiting for its model's row."""

    public_id: str
    filename: str
    blob: str
    byte_count: int
    sha256: bytes
    inspected: Inspected


@dataclass(frozen=True, slots=True)
class Model:
    """A validated workbook with its marked inputs and outputs."""

    id: int
    public_id: str
    customer_id: int
    mode: Mode
    name: str
    description: str
    tags: list[str]
    filename: str
    workbook_blob: str
    workbook_bytes: int
    workbook_sha256: bytes
    formulas_count: int
    inspection: dict[str, Any]
    inputs: list[dict[str, Any]]
    outputs: list[str]
    # Of the marked inputs, in entries as the API takes them.
    correlations: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    workbook_deleted_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))

    @property
    def input_marks(self) -> list[InputMark]:
        """The cells marked as inputs."""
        return [InputMark.from_json(one) for one in self.inputs]

    def marks_for(self, inputs: list[InputMark] | None) -> list[InputMark]:
        """The marks of a run: those given, which may be none, else those of the model."""
        return self.input_marks if inputs is None else inputs

    def correlations_for(
        self, inputs: list[InputMark] | None, given: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """The correlations of a run: those given, else those marked where it takes the marked inputs."""
        return given or (self.correlations if inputs is None else [])

    @property
    def draws_itself(self) -> bool:
        """Whether formulas of the workbook draw, so that a run needs no marked input."""
        return bool(self.inspection.get("written_inputs_count"))

    @property
    def output_cells(self) -> list[str]:
        """The cells that a run watches which names none: those marked, else those the workbook tells of itself."""
        return self.outputs or [one["cell"] for one in self.inspection.get("written_outputs", [])]


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a model."""

    id: int
    public_id: str
    customer_id: int
    model_id: int
    model_public_id: str
    model_name: str
    workbook_name: str
    mode: Mode
    api_key_id: int | None
    status: RunStatus
    seed: int
    iterations: int
    iterations_completed: int
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    confidence_levels: list[float]
    credits_consumed: int
    quota_id: int | None
    engine_version: str
    bin_edges: list[list[float]]
    seconds_per_iteration: float
    live: list[dict[str, Any]]
    results: list[dict[str, Any]] | None
    failure: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    summarized_at: datetime | None
    expires_at: datetime
    results_deleted_at: datetime | None
    webhook_url: str | None
    # What was computed for it until now, in seconds of one core.
    processing_seconds: float
    sampling: str
    # What it draws with: {cells, matrix, repaired}; None where inputs are independent.
    correlations: dict[str, Any] | None
    # Values whose probability was asked for, and how closely statistics must be known, as a share of them.
    targets: list[float]
    tolerance: float
    # The file of its first iterations; None where there is none, as of runs of before these were kept.
    points_blob: str | None
    # Inputs that are held in a part of their range: {cell, percentiles}.
    stress: list[dict[str, Any]]
    # Which batch it belongs to, by its row and for customers, and under which name.
    batch_id: int | None
    batch_public_id: str | None
    scenario_name: str | None
    # Whether its samples were asked for, and their file; None until the summary is made, and where there is none.
    keeps_samples: bool
    samples_blob: str | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))
        object.__setattr__(self, "status", RunStatus(self.status))

    @property
    def readable(self) -> bool:
        """Whether its results can be read: it ended, not by a failure, and the summary is made."""
        return self.summarized_at is not None and self.results_deleted_at is None

    def execution_seconds(self, now: datetime) -> float:
        """Return how long it has been computed, until its end or until `now`."""
        if self.started_at is None:
            return 0.0
        return max(0.0, ((self.finished_at or now) - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class UnderWay:
    """How many runs of a customer are queued or running, and what is left of the shortest, in seconds of one core."""

    run_count: int
    seconds_to_next_end: float


@dataclass(frozen=True, slots=True)
class Cut:
    """Where one shard begins and how long it is."""

    first_iteration: int
    iteration_count: int


@dataclass(frozen=True, slots=True)
class ClaimedShard:
    """A shard that a worker holds until its lease runs out; `attempt_count` names the claim."""

    run_id: int
    shard_index: int
    first_iteration: int
    iteration_count: int
    attempt_count: int
    blob: str


@dataclass(frozen=True, slots=True)
class Expiring:
    """Something whose kept time ends or ended, with whom to tell."""

    id: int
    public_id: str
    customer_id: int
    label: str
    expires_at: datetime


def credits_of(iterations: int, file_bytes: int, formulas_count: int) -> int:
    """Count the credits that a run is reported with; they are shown, never deducted (X23).

    Source: the additive rule that clients of the earlier system know (X23).
    """
    megabytes = file_bytes / 1_000_000
    return max(1, iterations // 1_000) + int(0.1 * megabytes) + max(1, formulas_count // 100)


# --- Problems ------------------------------------------------------------------------------------------


class ModelNotFound(NotFound):
    """No such model among the caller's, in the mode of the API key."""

    code = "model-not-found"
    title = "There is no such model"


class WorkbookDeleted(NotFound):
    """The model's workbook was deleted when its time was over."""

    code = "workbook-deleted"
    title = "The workbook was deleted when its time was over"


class RunNotFound(NotFound):
    """No such run among the caller's, in the mode of the API key."""

    code = "run-not-found"
    title = "There is no such run"


class ResultsDeleted(NotFound):
    """The results were deleted when their time was over."""

    code = "results-deleted"
    title = "The results were deleted when their time was over"


class BadUpload(Invalid):
    """An upload without a file, with several, or with an empty one."""

    code = "bad-upload"
    title = "The upload holds no usable file"


class UnsupportedFileType(WrongType):
    """The file's name does not end in .xlsx or .xlsm."""

    code = "unsupported-file-type"
    title = "Only .xlsx and .xlsm workbooks are accepted"


class NothingMarked(Invalid):
    """A run names no inputs or outputs, and its model has none marked."""

    code = "nothing-marked"
    title = "Inputs or outputs are missing"


class IterationsOverPlan(Invalid):
    """More iterations than the plan allows."""

    code = "iterations-over-plan"
    title = "The plan does not include so many iterations"


class RunsAtOnce(TooMany):
    """As many runs are under way as the plan allows at once."""

    code = "runs-at-once"
    title = "Too many runs at once"


class StreamsAtOnce(TooMany):
    """As many event streams are open as one customer may have."""

    code = "streams-at-once"
    title = "Too many event streams at once"


class InspectionBusy(Unavailable):
    """More workbooks wait to be read than can be read soon."""

    code = "inspection-busy"
    title = "Too many workbooks are being read"


class RunNotFinished(Conflict):
    """Results were asked for before there are any."""

    code = "run-not-finished"
    title = "The run is not finished"


class RunFailed(Conflict):
    """Results were asked for of a run that failed."""

    code = "run-failed"
    title = "The run failed"


class RunIsOver(Conflict):
    """A cancellation came after the end."""

    code = "run-is-over"
    title = "The run is already over"


class ModelHasRuns(Conflict):
    """A model with runs is deleted only together with them, and only when that is asked for."""

    code = "model-has-runs"
    title = "The model has runs"
