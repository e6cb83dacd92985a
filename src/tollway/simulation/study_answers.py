"""What the Monte Carlo API answers about studies, member by member, for its documentation."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tollway.simulation.answers import RUN_ID, TIME, ListedRun, Status, Stress

BATCH_ID = "bat_5d0c1b7a93e2f468"
GOAL_SEEK_ID = "gsk_0f9e8d7c6b5a4321"
OTHER_RUN_ID = "sim_7c1d2e3f4a5b6978"
STANDING = Literal["queued", "running", "finished"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow")


class CreatedScenario(_Answer):
    """One run of a batch that was queued."""

    simulation_id: str = Field(examples=[RUN_ID])
    scenario_name: str = Field(examples=["Return is low"])
    status: Status = Field(examples=["queued"])
    progress_url: str = Field(examples=[f"/monte-carlo-api/simulations/{RUN_ID}/progress"])
    credits_consumed: int = Field(
        description="A measure of the work; shown, never charged for.", examples=[101]
    )
    seed: int = Field(examples=[7])


class CreatedBatch(_Answer):
    """Runs that were queued together."""

    batch_id: str = Field(examples=[BATCH_ID])
    batch_name: str = Field(examples=["Stress of the return"])
    simulations: list[CreatedScenario] = Field(description="In the order of the request.")
    seed: int = Field(description="Of all scenarios without one of their own.", examples=[7])
    estimated_completion: str = Field(description=TIME, examples=["2026-06-15T12:00:05+00:00"])
    batch_url: str = Field(examples=[f"/monte-carlo-api/batches/{BATCH_ID}"])


class ListedBatch(_Answer):
    """One batch of the list."""

    batch_id: str = Field(examples=[BATCH_ID])
    batch_name: str = Field(examples=["Stress of the return"])
    status: STANDING = Field(description="Finished where every run is over.", examples=["finished"])
    simulations_count: int = Field(examples=[2])
    finished_count: int = Field(description="Runs that are over.", examples=[2])
    created_at: str = Field(description=TIME, examples=["2026-06-15T12:00:00+00:00"])
    batch_url: str = Field(examples=[f"/monte-carlo-api/batches/{BATCH_ID}"])


class Batches(_Answer):
    """A page of batches, newest first."""

    batches: list[ListedBatch]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last.")


class ListedScenario(ListedRun):
    """A run of a batch."""

    scenario_name: str = Field(examples=["Return is low"])
    seed: int = Field(examples=[7])
    stress: list[Stress] = Field(description="Inputs that are held in a part of their range.")


class ComparedRun(_Answer):
    """What tells one of the compared runs from the other."""

    simulation_id: str = Field(examples=[RUN_ID])
    scenario_name: str | None = Field(description="Its name in its batch.", examples=["As planned"])
    model_id: str
    model_name: str = Field(examples=["portfolio"])
    status: Status = Field(examples=["completed"])
    seed: int = Field(examples=[7])
    sampling: str = Field(examples=["monte_carlo"])
    iterations_completed: int = Field(examples=[100000])
    stress: list[Stress]


class StatisticDifference(_Answer):
    """How far one statistic moved. Null where a number does not exist."""

    statistic: str = Field(
        description="`mean`, `std`, `p5` and the like, `var_95` and `cvar_95` and the like (lower tail).",
        examples=["mean"],
    )
    base: float | None = Field(examples=[1050708.8])
    other: float | None = Field(examples=[1015620.1])
    difference: float | None = Field(description="`other` less `base`.", examples=[-35088.7])
    relative: float | None = Field(description="The difference over the size of `base`.", examples=[-0.0334])
    standard_error: float | None = Field(
        description="Of the difference, by chance; null where it is not known.", examples=[12.4]
    )
    is_paired: bool = Field(
        description="Whether the error rests on the same iterations side by side. Else it is that of independent runs, "
        "which is too large for runs that share their random numbers."
    )


class ComparedOutput(_Answer):
    """One output in both runs."""

    cell: str = Field(description="As the base names it.", examples=["Risk!B16"])
    cell_name: str = Field(examples=["Final value"])
    differences: list[StatisticDifference]


class Differences(_Answer):
    """What differs between two runs."""

    shares_random_numbers: bool = Field(
        description="Whether seed, sampling, iterations and the inputs in their order agree."
    )
    remark: str = Field(description="The same in words, with the reason.")
    outputs: list[ComparedOutput] = Field(description="Those of the same cell, else of the same label.")
    only_in_base: list[str] = Field(description="Cells of outputs that the other run does not have.")
    only_in_other: list[str]


class Comparison(Differences):
    """Two runs beside each other."""

    base: ComparedRun
    other: ComparedRun


class ComparedScenario(Differences):
    """A run of a batch beside the first."""

    simulation: ComparedRun


class BatchComparison(_Answer):
    """The runs of a batch beside its first one that has results."""

    base: ComparedRun
    others: list[ComparedScenario]


class WholeBatch(ListedBatch):
    """A batch with its runs."""

    simulations: list[ListedScenario] = Field(description="In the order of the scenarios.")
    comparison: BatchComparison | None = Field(
        description="Null until every run is over, and where fewer than two have results."
    )


class CreatedGoalSeek(_Answer):
    """A search that was queued."""

    goal_seek_id: str = Field(examples=[GOAL_SEEK_ID])
    status: Literal["queued", "running", "completed", "failed"] = Field(examples=["queued"])
    seed: int = Field(description="The same question with the same seed has the same answer.", examples=[7])
    goal_seek_url: str = Field(examples=[f"/monte-carlo-api/goal-seeks/{GOAL_SEEK_ID}"])


class SeekTrial(_Answer):
    """What the statistic was with a number in the cell sought."""

    value: float = Field(examples=[1_000_000.0])
    statistic: float = Field(examples=[983214.5])
    standard_error: float = Field(description="Of the statistic, by chance.", examples=[139.9])
    error_count: int = Field(description="Iterations without a number; they are left out.", examples=[0])


class SeekAnswer(_Answer):
    """Where the goal is reached, or why not."""

    outcome: Literal["found", "jump", "out_of_reach", "undefined"] = Field(
        description="`found`; `jump`: the statistic steps over the goal at `value`; `out_of_reach`: no place tried "
        "between the ends reaches it, and `value` is the nearest; `undefined`: the output has no number at `value`.",
        examples=["found"],
    )
    cell: str = Field(examples=["Risk!B7"])
    output: str = Field(examples=["Risk!B16"])
    value: float | None = Field(description="What to put into the cell.", examples=[984210.3])
    statistic: float | None = Field(description="Achieved with it.", examples=[1000000.0])
    standard_error: float | None = Field(description="Of the statistic, by chance.", examples=[139.9])
    value_standard_error: float | None = Field(
        description="How far other draws would move `value`; null where that is not known.", examples=[137.8]
    )
    bracket: list[SeekTrial] | None = Field(description="The nearest trials on either side of the goal.")
    ends: list[SeekTrial] | None = Field(description="At `low` and `high`.")
    trials: list[SeekTrial] = Field(description="All of them, in the order they were made.")
    iterations: int = Field(description="Of each trial.", examples=[10_000])


class WholeGoalSeek(_Answer):
    """A search with its question and its answer."""

    goal_seek_id: str = Field(examples=[GOAL_SEEK_ID])
    model_id: str
    model_name: str = Field(examples=["portfolio"])
    status: Literal["queued", "running", "completed", "failed"] = Field(examples=["completed"])
    question: dict[str, Any] = Field(
        description="As it was asked, with everything that was left open filled in."
    )
    answer: SeekAnswer | None = Field(description="Null until it is completed.")
    failure: dict[str, Any] | None = Field(description="`code` and `message` where it failed; else null.")
    created_at: str = Field(description=TIME, examples=["2026-06-15T12:00:00+00:00"])
    finished_at: str | None = Field(description=TIME, examples=["2026-06-15T12:00:03+00:00"])
    expires_at: str = Field(description="Until when it is kept.", examples=["2026-07-15T12:00:00+00:00"])
    goal_seek_url: str = Field(examples=[f"/monte-carlo-api/goal-seeks/{GOAL_SEEK_ID}"])


class GoalSeeks(_Answer):
    """A page of searches, newest first."""

    goal_seeks: list[WholeGoalSeek]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last.")
