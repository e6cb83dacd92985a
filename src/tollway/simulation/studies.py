"""What studies are: runs ordered together to be compared, and searches for a goal; entities beside models and runs."""

import enum
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from tollway.customers.entities import Mode
from tollway.kit.problems import Conflict, Invalid, NotFound, TooMany, Unavailable
from tollway.simulation.entities import ORDER_POINTER, InputMark, Run, RunOrder, RunStatus

# Scenarios of one batch: more than a page can set side by side, and soon computed.
SCENARIOS_MAX = 20
STUDY_NAME_LENGTH_MAX = 200
# As the engine bounds them, and what a search takes where nothing else is said.
SEEK_ITERATIONS_MAX = 200_000
SEEK_ITERATIONS_OFFERED = 10_000
SEEK_TOLERANCE_OFFERED = 1e-4
STATISTIC_LENGTH_MAX = 20


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run of a batch: its name, what is asked for, and which members its own entry of the request had."""

    name: str
    order: RunOrder
    index: int
    own_members: frozenset[str] = frozenset()

    def pointer(self, member: str) -> str:
        """Say where a member stands in the request: in the scenario's entry, or in what holds for all."""
        if member in self.own_members:
            return f"/simulations/{self.index}/{member}"
        return f"{ORDER_POINTER}/{member}"

    @property
    def words(self) -> str:
        """Name it in a sentence."""
        return f"Scenario {self.index} ({self.name!r})"


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """Runs that are ordered together. Those without a seed of their own share `seed`; None: one is chosen."""

    name: str
    scenarios: list[Scenario]
    seed: int | None

    def as_json(self) -> dict[str, Any]:
        """Return what tells two orders apart."""
        scenarios = [{"name": one.name, "order": one.order.as_json()} for one in self.scenarios]
        return {"name": self.name, "scenarios": scenarios, "seed": self.seed}


@dataclass(frozen=True, slots=True)
class Batch:
    """Runs that were ordered together, by the name of the whole."""

    id: int
    public_id: str
    customer_id: int
    mode: Mode
    name: str
    created_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))


def standing_of(runs: list[Run]) -> str:
    """Say how far the runs of a batch are: `queued`, `running` or `finished`."""
    if all(run.status.over for run in runs):
        return "finished"
    return "queued" if all(run.status is RunStatus.QUEUED for run in runs) else "running"


class BatchNotFound(NotFound):
    """No such batch among the caller's, in the mode of the API key."""

    code = "batch-not-found"
    title = "There is no such batch"


class BadScenario(Invalid):
    """Two scenarios of a batch have one name, or one lacks what a run needs."""

    code = "bad-scenario"
    title = "A scenario of the batch cannot be used"


class BatchTooLong(Unavailable):
    """Reading the workbooks of a batch took longer than one request may."""

    code = "batch-too-long"
    title = "The workbooks of the batch take too long to read"


class NothingToCompare(Conflict):
    """Two runs have no output in common, or are one and the same."""

    code = "nothing-to-compare"
    title = "These runs have nothing to compare"


# --- two runs ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kinship:
    """Whether two runs drew the same random numbers, and in words why or why not."""

    shares_random_numbers: bool
    remark: str


def kinship_of(base: Run, other: Run) -> Kinship:
    """Tell whether iteration i of one run drew what iteration i of the other did, but for what was changed.

    They do where seed, sampling, iterations and the inputs in their order agree; distributions, correlations and
    stress may differ.
    """
    reasons = []
    if base.seed != other.seed:
        reasons.append(f"their seeds differ ({base.seed} and {other.seed})")
    if base.sampling != other.sampling:
        reasons.append("they were sampled by different methods")
    if base.iterations != other.iterations:
        reasons.append(f"they have {base.iterations:,} and {other.iterations:,} iterations")
    if not base.iterations == base.iterations_completed == other.iterations_completed == other.iterations:
        reasons.append("not all iterations were done")
    if [one["cell"] for one in base.inputs] != [one["cell"] for one in other.inputs]:
        reasons.append("their inputs are not the same cells in the same order")
    if reasons:
        return Kinship(
            False,
            f"The runs do not share their random numbers: {'; '.join(dict.fromkeys(reasons))}. A difference also holds "
            "what chance made of both.",
        )
    return Kinship(
        True,
        f"Both runs drew the same random numbers (seed {base.seed}), so what differs comes from what was changed.",
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """Two finished runs beside each other; `outputs` are as the engine's OutputComparison tells them."""

    base: Run
    other: Run
    kinship: Kinship
    outputs: list[dict[str, Any]] = field(default_factory=list)


# --- goal seek -----------------------------------------------------------------------------------------


class GoalSeekStatus(enum.StrEnum):
    """Where a search stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether nothing more will be computed."""
        return self in (GoalSeekStatus.COMPLETED, GoalSeekStatus.FAILED)


@dataclass(frozen=True, slots=True)
class GoalSeekOrder:
    """What a customer seeks; inputs that are None are those that the model has marked."""

    model_id: str
    cell: str
    low: float
    high: float
    output: str
    # `mean`, a percentile such as `p5`, or `probability` of a value or less.
    statistic: str
    at_or_below: float | None
    goal: float
    tolerance: float
    iterations: int
    inputs: list[InputMark] | None
    seed: int | None
    sampling: str
    correlations: list[dict[str, Any]]
    stress: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """Return what tells two orders apart."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class GoalSeekRecord:
    """A search as it is stored: the question with all that was left open filled in, and its answer."""

    id: int
    public_id: str
    customer_id: int
    model_id: int
    model_public_id: str
    model_name: str
    mode: Mode
    api_key_id: int | None
    quota_id: int | None
    status: GoalSeekStatus
    question: dict[str, Any]
    answer: dict[str, Any] | None
    failure: dict[str, Any] | None
    attempt_count: int
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))
        object.__setattr__(self, "status", GoalSeekStatus(self.status))


class GoalSeekNotFound(NotFound):
    """No such search among the caller's, in the mode of the API key."""

    code = "goal-seek-not-found"
    title = "There is no such goal seek"


class GoalSeeksAtOnce(TooMany):
    """As many searches are under way as the plan allows runs at once."""

    code = "goal-seeks-at-once"
    title = "Too many goal seeks at once"


class GoalSeekTooLong(Invalid):
    """The search would take longer than one search may."""

    code = "goal-seek-too-long"
    title = "The goal seek would take too long"


class GoalSeekFailed(Conflict):
    """The search failed by our fault; its request was given back."""

    code = "goal-seek-failed"
    title = "The goal seek failed"
