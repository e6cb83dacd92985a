"""What the Monte Carlo API answers, member by member, for its documentation; `shapes` makes the answers themselves.

tests/test_openapi.py holds the two together: it compares what is answered with what stands here.
"""

from typing import Any, Literal

from pydantic import Field

from tollway.simulation.output_answers import CELL, OutputResults
from tollway.simulation.output_answers import Answer as _Answer

Status = Literal["queued", "running", "completed", "failed", "cancelled"]
NAME = "The label beside the cell, where there is one."
TIME = "ISO 8601, in UTC."
MODEL_ID = "mdl_7abc9ec6ffdd68b5"
RUN_ID = "sim_42ba04a8c362111d"
DOWNLOAD_TOKEN_ID = "dlt_9f86d081884c7d65"  # noqa: S105 - a name, and an example
DOWNLOAD_TOKEN = "q3vJ8mZt0eYc5rKxWb2LhUaN6dPfGs1oTiE7yMuVwRk"  # noqa: S105 - an example


class SystemMetrics(_Answer):
    """What the process does at the moment."""

    uptime: float = Field(description="Seconds since the process started.")
    memory_usage: float = Field(description="Memory that it holds, in megabytes.")
    active_simulations: int = Field(description="Runs of everybody that are queued or running.")


class Health(_Answer):
    """That the service works."""

    status: Literal["healthy"]
    timestamp: str = Field(description=TIME)
    version: str = Field(description="Of this API.", examples=["1.0.0"])
    gpu_available: bool = Field(description="Always false: the engine computes on processors.")
    system_metrics: SystemMetrics


class InputCandidate(_Answer):
    """A constant that outputs depend on, with a distribution to start from."""

    cell: str = Field(description=CELL, examples=["Risk!B5"])
    name: str | None = Field(description=NAME, examples=["Expected return"])
    current_value: float = Field(examples=[0.08])
    suggested_distribution: dict[str, Any] = Field(
        description="In the form that `inputs` and `variables` take.",
        examples=[{"type": "normal", "mean": 0.08, "std": 0.016}],
    )
    why: str = Field(description="The reason for the suggestion.", examples=["a rate: normal around it"])
    dependents_count: int = Field(description="Formulas that depend on it.", examples=[7])


class OutputCandidate(_Answer):
    """A formula that no other number is computed from."""

    cell: str = Field(description=CELL, examples=["Risk!B16"])
    name: str | None = Field(description=NAME, examples=["Final value"])
    current_value: float = Field(examples=[1050000.0])


class WrittenInput(_Answer):
    """What a formula of the workbook draws, with nobody marking it: an input of every run that needs it."""

    cell: str = Field(
        description="The formula's cell, with #1 and #2 behind it where one formula draws several times.",
        examples=["Risk!B5"],
    )
    name: str | None = Field(description=NAME, examples=["Return"])
    formula: str = Field(description="As it is written.", examples=["=RiskNormal(0.08,0.02)"])
    distribution: dict[str, Any] | None = Field(
        description="Null where it depends on other inputs, or cannot be drawn from.",
        examples=[{"type": "normal", "mean": 0.08, "std": 0.02}],
    )
    problem: str | None = Field(description="Why a run that needs it is refused.", examples=[None])


class WrittenOutput(_Answer):
    """A cell that a run watches which names none and whose model has none marked."""

    cell: str = Field(description=CELL, examples=["Risk!B16"])
    name: str | None = Field(description=NAME, examples=["Final value"])
    is_marked: bool = Field(
        description="Whether its formula marks it, with RiskOutput or PsiOutput; else it is a last result of what "
        "formulas draw.",
        examples=[True],
    )


class WrittenCorrelation(_Answer):
    """Spearman's rank correlations that formulas write between inputs, with RiskCorrmat or PsiCorrMatrix."""

    cells: list[str] = Field(description="Among `written_inputs`.", examples=[["Risk!B4", "Risk!B5"]])
    matrix: list[list[float]] = Field(
        description="Row and column in the order of `cells`.", examples=[[[1.0, 0.6], [0.6, 1.0]]]
    )


class Written(_Answer):
    """What a workbook says of itself: see the [guide to other simulation tools](/docs/peers)."""

    written_inputs: list[WrittenInput] = Field(
        description="What its formulas draw, such as RAND() or RiskNormal(10,2), the first 200.",
        examples=[[]],
    )
    written_inputs_count: int = Field(description="All of them.", examples=[0])
    written_correlations: list[WrittenCorrelation] = Field(
        description="How formulas join these inputs. They count in runs that name no correlations.",
        examples=[[]],
    )
    written_outputs: list[WrittenOutput] = Field(
        description="What a run watches for which nobody names outputs.", examples=[[]]
    )


class Difference(_Answer):
    """A formula that gives another value here than the one stored in the file."""

    cell: str = Field(description=CELL)
    formula: str
    stored: float | bool | str | None
    computed: float | bool | str | None


class Agreement(_Answer):
    """Every formula recomputed at the workbook's own values, compared with what Excel stored."""

    equal: int = Field(examples=[7])
    different: int = Field(examples=[0])
    left_out: int = Field(
        description="Formulas that were not compared: not supported, of another workbook, or stored without a value.",
        examples=[0],
    )
    volatile: int = Field(
        0, description="Formulas that give another value at each moment, such as TODAY().", examples=[0]
    )
    iterated: int = Field(
        0, description="Cells in circles that were iterated, as the workbook says.", examples=[0]
    )
    differences: list[Difference] = Field(description="The first of them.", examples=[[]])
    different_cells: list[str] = Field(
        default_factory=list, description="The cells that differ, at most 1,000.", examples=[[]]
    )
    application: str = Field("", description="What saved the file.", examples=["Microsoft Excel"])


class UnsupportedFormula(_Answer):
    """A formula that is not computed."""

    cell: str = Field(description=CELL, examples=["Feeds!B7"])
    function: str = Field(description="The function, or what else stopped it.", examples=["CUBEVALUE"])


class NotComputed(_Answer):
    """What of a workbook is not computed. A run whose outputs need none of it is not concerned."""

    unsupported: list[UnsupportedFormula] = Field(
        description="Formulas that are not computed, at most 1,000.", examples=[[]]
    )
    unsupported_count: int = Field(description="All of them.", examples=[0])
    blocked: list[str] = Field(
        description="Further cells that need one of those, at most 1,000. A run with one as output is refused.",
        examples=[[]],
    )
    blocked_count: int = Field(description="All of them.", examples=[0])


class UploadedModel(NotComputed, Written):
    """A workbook that was read and kept."""

    model_id: str = Field(examples=[MODEL_ID])
    filename: str = Field(examples=["portfolio.xlsx"])
    status: Literal["uploaded"]
    processing_time_estimate: str = Field(description="Roughly.", examples=["1-3 seconds"])
    formulas_count: int = Field(examples=[7])
    variables_detected: list[InputCandidate] = Field(description="Cells that may be inputs.")
    outputs_detected: list[OutputCandidate] = Field(description="Cells that may be outputs.")
    agreement: Agreement
    external_links_count: int = Field(
        description="Links to other workbooks. They are never followed: the values that Excel stored are used.",
        examples=[0],
    )
    created_at: str = Field(description=TIME, examples=["2026-06-15T12:00:00+00:00"])


class ListedModel(_Answer):
    """One model of the list."""

    model_id: str = Field(examples=[MODEL_ID])
    model_name: str = Field(examples=["portfolio"])
    filename: str = Field(examples=["portfolio.xlsx"])
    formulas_count: int = Field(examples=[7])
    tags: list[str] = Field(examples=[["budget"]])
    uploaded_at: str = Field(description=TIME, examples=["2026-06-15T12:00:00+00:00"])
    expires_at: str = Field(
        description="Until when the workbook is kept; a run keeps it on.",
        examples=["2026-07-15T12:00:00+00:00"],
    )


class Models(_Answer):
    """A page of models, newest first."""

    models: list[ListedModel]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last.")


class Sheet(_Answer):
    """A sheet in numbers."""

    name: str = Field(examples=["Risk"])
    rows: int = Field(description="The last row that holds something.", examples=[18])
    columns: int = Field(description="The last column that holds something.", examples=[2])
    is_hidden: bool
    cells_count: int = Field(examples=[22])
    formulas_count: int = Field(examples=[7])


class MarkedInput(_Answer):
    """A cell whose number is drawn."""

    cell: str = Field(examples=["Risk!B5"])
    name: str | None = Field(examples=["Return"])
    distribution: dict[str, Any] = Field(examples=[{"type": "normal", "mean": 0.08, "std": 0.02}])


class WholeModel(ListedModel, NotComputed, Written):
    """A model with everything that is known of it."""

    description: str
    file_bytes: int = Field(examples=[5541])
    functions: dict[str, int] = Field(description="How often each function is used.", examples=[{"SUM": 3}])
    sheets: list[Sheet]
    variables_detected: list[InputCandidate] = Field(description="Cells that may be inputs.")
    outputs_detected: list[OutputCandidate] = Field(description="Cells that may be outputs.")
    agreement: Agreement
    external_links_count: int = Field(examples=[0])
    inputs: list[MarkedInput] = Field(description="The cells marked as inputs.")
    outputs: list[str] = Field(description="The cells marked as outputs.", examples=[["Risk!B16"]])
    correlations: list[dict[str, Any]] = Field(
        description="Of the marked inputs, as `correlations` of a run; used where a run leaves its variables out.",
        examples=[[{"cells": ["Risk!B4", "Risk!B5"], "correlation": 0.6}]],
    )
    updated_at: str = Field(description=TIME, examples=["2026-06-15T12:00:00+00:00"])


class DeletedModel(_Answer):
    """That a model is gone."""

    message: str = Field(examples=["Model deleted successfully"])
    model_id: str = Field(examples=[MODEL_ID])
    runs_deleted: int = Field(examples=[0])


class CreatedRun(_Answer):
    """A run that was queued."""

    simulation_id: str = Field(examples=[RUN_ID])
    status: Status = Field(examples=["queued"])
    estimated_completion: str = Field(description=TIME, examples=["2026-06-15T12:00:05+00:00"])
    progress_url: str = Field(examples=[f"/monte-carlo-api/simulations/{RUN_ID}/progress"])
    credits_consumed: int = Field(
        description="A measure of the work; shown, never charged for.", examples=[101]
    )
    seed: int = Field(description="The same model with the same seed gives the same numbers.", examples=[7])


class ListedRun(_Answer):
    """One run of the list."""

    simulation_id: str = Field(examples=[RUN_ID])
    model_id: str = Field(examples=[MODEL_ID])
    model_name: str = Field(examples=["portfolio"])
    status: Status = Field(examples=["completed"])
    iterations: int = Field(examples=[100000])
    iterations_completed: int = Field(examples=[100000])
    credits_consumed: int = Field(examples=[101])
    created_at: str = Field(description=TIME, examples=["2026-06-15T12:00:00+00:00"])
    finished_at: str | None = Field(description=TIME, examples=["2026-06-15T12:00:02+00:00"])
    progress_url: str = Field(examples=[f"/monte-carlo-api/simulations/{RUN_ID}/progress"])
    results_url: str = Field(examples=[f"/monte-carlo-api/simulations/{RUN_ID}/results"])


class Runs(_Answer):
    """A page of runs, newest first."""

    simulations: list[ListedRun]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last.")


class ProgressNumbers(_Answer):
    """How far the run is."""

    percentage: float = Field(ge=0, le=100, examples=[64.0])
    iterations_completed: int = Field(examples=[64000])
    iterations_total: int = Field(examples=[100000])
    phase: str = Field(examples=["simulation"])
    stage_description: str = Field(examples=["Computing iterations"])
    estimated_remaining: float | None = Field(
        description="Seconds; null when the run is over.", examples=[0.4]
    )


class PerformanceMetrics(_Answer):
    """How fast it is."""

    iterations_per_second: float = Field(examples=[160000.0])
    gpu_utilization: float = Field(description="Always 0.", examples=[0.0])
    memory_usage: float = Field(description="Of the serving process, in megabytes.", examples=[195.3])


class LiveHistogram(_Answer):
    """The values so far, in equal bins."""

    bin_edges: list[float] = Field(examples=[[0.0, 1.0, 2.0]])
    frequencies: list[int] = Field(examples=[[12, 30]])


class LiveOutput(_Answer):
    """What an output looks like so far."""

    cell: str = Field(examples=["B16"])
    name: str | None = Field(examples=["Final value"])
    iterations: int = Field(description="Those that gave a number.", examples=[64000])
    errors: int = Field(description="Those that gave an error value.", examples=[0])
    mean: float | None = Field(examples=[1050708.8])
    mean_standard_error: float | None = Field(examples=[84.1])
    histogram: LiveHistogram


class Progress(_Answer):
    """Where a run stands, with what its outputs look like so far."""

    simulation_id: str = Field(examples=[RUN_ID])
    status: Status = Field(examples=["running"])
    progress: ProgressNumbers
    performance_metrics: PerformanceMetrics
    outputs: list[LiveOutput]


class Repaired(_Answer):
    """What was asked for and no numbers can have; the nearest possible matrix was used instead."""

    asked: list[list[float]]
    largest_change: float = Field(examples=[0.114])
    cells: list[str] = Field(description="The two whose correlation changed most.")


class Correlations(_Answer):
    """Spearman's rank correlations that the run drew with."""

    cells: list[str] = Field(examples=[["Risk!B4", "Risk!B5"]])
    matrix: list[list[float]] = Field(
        description="Row and column in the order of `cells`.", examples=[[[1.0, 0.6], [0.6, 1.0]]]
    )
    repaired: Repaired | None = Field(description="Null where the matrix is the one that was asked for.")


class Stress(_Answer):
    """An input that was held in a part of its range."""

    cell: str = Field(examples=["Risk!B5"])
    percentiles: list[float] = Field(description="From which to which.", examples=[[90.0, 100.0]])


class ResultLinks(_Answer):
    """The results as files."""

    pdf: str = Field(examples=[f"/monte-carlo-api/simulations/{RUN_ID}/download/pdf"])
    xlsx: str = Field(examples=[f"/monte-carlo-api/simulations/{RUN_ID}/download/xlsx"])
    json_file: str = Field(alias="json", examples=[f"/monte-carlo-api/simulations/{RUN_ID}/download/json"])


class DownloadLinks(ResultLinks):
    """The results as files, and the samples where they were kept."""

    parquet: str | None = Field(
        None,
        description="Only where samples were kept.",
        examples=[f"/monte-carlo-api/simulations/{RUN_ID}/download/parquet"],
    )
    csv: str | None = Field(
        None,
        description="Only where samples were kept.",
        examples=[f"/monte-carlo-api/simulations/{RUN_ID}/download/csv"],
    )


class TokenLinks(_Answer):
    """The results as files, without an API key."""

    pdf: str = Field(examples=[f"/monte-carlo-api/download/{DOWNLOAD_TOKEN}/pdf"])
    xlsx: str = Field(examples=[f"/monte-carlo-api/download/{DOWNLOAD_TOKEN}/xlsx"])
    json_file: str = Field(alias="json", examples=[f"/monte-carlo-api/download/{DOWNLOAD_TOKEN}/json"])


class DownloadToken(_Answer):
    """Links to the results of a run that need no API key."""

    download_token_id: str = Field(description="By which they are taken back.", examples=[DOWNLOAD_TOKEN_ID])
    download_token: str = Field(description="Shown once.", examples=[DOWNLOAD_TOKEN])
    expires_at: str = Field(description=TIME, examples=["2026-06-15T13:00:00+00:00"])
    download_links: TokenLinks


class ListedDownloadToken(_Answer):
    """Links that work, by one token; the token itself is not told again."""

    download_token_id: str = Field(examples=[DOWNLOAD_TOKEN_ID])
    key_id: str | None = Field(description="Of the API key that made it.", examples=["mc_test_5Kq0ZbWd"])
    created_at: str = Field(description=TIME, examples=["2026-06-15T12:00:00+00:00"])
    expires_at: str = Field(description=TIME, examples=["2026-06-15T13:00:00+00:00"])


class DownloadTokens(_Answer):
    """The links of a run that work now."""

    download_tokens: list[ListedDownloadToken]


class RevokedDownloadToken(_Answer):
    """That links were taken back."""

    message: str = Field(examples=["Download link taken back"])


class Results(_Answer):
    """The results of a run; of a cancelled one, of what was done."""

    simulation_id: str = Field(examples=[RUN_ID])
    model_id: str = Field(examples=[MODEL_ID])
    status: Status = Field(examples=["completed"])
    execution_time: str = Field(examples=["1.92s"])
    iterations_completed: int = Field(examples=[100000])
    iterations_total: int = Field(examples=[100000])
    seed: int = Field(examples=[7])
    engine_version: str = Field(description="Changes when the same seed gives other numbers.", examples=["1"])
    confidence_levels: list[float] = Field(examples=[[0.95, 0.99]])
    targets: list[float] = Field(examples=[[1_000_000.0]])
    tolerance: float = Field(examples=[0.03])
    sampling: Literal["monte_carlo", "latin_hypercube", "sobol"] = Field(examples=["monte_carlo"])
    correlations: Correlations | None = Field(description="Null where inputs are independent.")
    stress: list[Stress] = Field(description="Inputs that were held in a part of their range.", examples=[[]])
    batch_id: str | None = Field(description="The batch that it is a scenario of; else null.")
    scenario_name: str | None = Field(description="Its name in that batch.")
    variables: list[MarkedInput]
    results: dict[str, OutputResults] = Field(description="By output cell, as it was asked for.")
    samples_kept: bool = Field(
        description="Whether every draw and value can be downloaded.", examples=[False]
    )
    download_links: DownloadLinks
    created_at: str = Field(description=TIME, examples=["2026-06-15T12:00:00+00:00"])
    finished_at: str | None = Field(description=TIME, examples=["2026-06-15T12:00:02+00:00"])
    expires_at: str = Field(description="Until when they are kept.", examples=["2026-07-15T12:00:00+00:00"])


class Cancelled(_Answer):
    """That a run was stopped."""

    message: str = Field(examples=["Simulation cancelled successfully"])
