"""What the Monte Carlo API takes: the bodies of its requests, with the bounds of each part."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tollway.engine import DISTRIBUTION_TYPES
from tollway.simulation.entities import (
    CORRELATED_INPUTS_MAX,
    CORRELATIONS_MAX,
    INPUTS_MAX,
    ITERATIONS_MAX,
    ITERATIONS_MIN,
    OUTPUTS_MAX,
    REFERENCE_LENGTH_MAX,
    SEED_MAX,
    TARGETS_MAX,
    TOLERANCE_DEFAULT,
)
from tollway.webhooks.entities import URL_LENGTH_MAX

CONFIDENCE_LEVELS_MAX = 10
TAGS_MAX = 20
TAG_LENGTH_MAX = 50
NAME_LENGTH_MAX = 200
DESCRIPTION_LENGTH_MAX = 2_000
VARIABLE = {
    "cell": "Risk!B5",
    "name": "Return",
    "distribution": {"type": "normal", "mean": 0.08, "std": 0.02},
}
CORRELATION = {"cells": ["Risk!B4", "Risk!B5"], "correlation": 0.6}

_ENDS: dict[str, Any] = {
    "type": ["array", "null"],
    "items": {"type": ["number", "null"]},
    "minItems": 2,
    "maxItems": 2,
}
# What every distribution has; parameters depend on the type.
DISTRIBUTION_MEMBERS: dict[str, Any] = {
    "required": ["type"],
    "properties": {
        "type": {"type": "string", "enum": list(DISTRIBUTION_TYPES)},
        "truncate": _ENDS | {"description": "Keeps what lies between two values; one end may be null."},
        "truncate_percentiles": _ENDS | {"description": "The same in percent."},
        "shift": {"type": ["number", "null"], "description": "Is added to every draw, after the truncation."},
    },
}

Reference = Annotated[
    str,
    Field(
        min_length=1,
        max_length=REFERENCE_LENGTH_MAX,
        description="A cell such as Sheet2!C10; without a sheet, as B5, it is on the first visible one.",
    ),
]
Tag = Annotated[str, Field(min_length=1, max_length=TAG_LENGTH_MAX)]
RunUrl = Annotated[
    str,
    Field(
        max_length=URL_LENGTH_MAX,
        description="Is told how the run ended, where your plan has [webhooks](/docs/webhooks).",
    ),
]

# The form of an upload; the endpoint reads it itself, because its file may be large.
UPLOAD_FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {
                        "type": "string",
                        "format": "binary",
                        "description": "One workbook, .xlsx or .xlsm, as large as your plan allows.",
                    },
                    "model_name": {
                        "type": "string",
                        "maxLength": NAME_LENGTH_MAX,
                        "description": "Without it, the file's name.",
                    },
                    "description": {"type": "string", "maxLength": DESCRIPTION_LENGTH_MAX},
                    "tags": {
                        "type": "string",
                        "description": f"At most {TAGS_MAX} of {TAG_LENGTH_MAX} characters, separated by commas.",
                    },
                },
            }
        }
    },
}


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class VariableIn(_Body):
    """A cell whose number is drawn."""

    cell: Reference
    name: Annotated[str, Field(max_length=NAME_LENGTH_MAX)] | None = None
    distribution: dict[str, Any] = Field(
        description="The `type`, and its parameters, or percentiles (`p5`), `mean` or `std` in their place: "
        "see the [guide to distributions](/docs/distributions).",
        examples=[VARIABLE["distribution"]],
        json_schema_extra=DISTRIBUTION_MEMBERS,
    )


Number = Annotated[float, Field(allow_inf_nan=False)]


class CorrelationIn(_Body):
    """Rank correlations: `correlation` of two cells, or a `matrix` of several."""

    cells: Annotated[list[Reference], Field(max_length=CORRELATED_INPUTS_MAX)] = Field(
        description="Cells among the variables; two of them beside `correlation`.",
        examples=[CORRELATION["cells"]],
    )
    correlation: Number | None = Field(
        None, description="Spearman's, from -1 to 1.", examples=[CORRELATION["correlation"]]
    )
    matrix: (
        Annotated[
            list[Annotated[list[Number], Field(max_length=CORRELATED_INPUTS_MAX)]],
            Field(max_length=CORRELATED_INPUTS_MAX),
        ]
        | None
    ) = Field(
        None,
        description="Spearman's, row and column in the order of `cells`; symmetric, with ones on the diagonal.",
    )


STRESS = {"cell": "Risk!B5", "percentiles": [90, 100]}


class StressIn(_Body):
    """An input that is held in a part of its range."""

    cell: Reference = Field(description="One of the variables.", examples=[STRESS["cell"]])
    percentiles: Annotated[list[Number], Field(max_length=2)] = Field(
        description="From which to which, 0 to 100: `[90, 100]` is its highest tenth.",
        examples=[STRESS["percentiles"]],
    )


def whole_number(value: object) -> object:
    """Read 100000.0, which is what 1e5 means in JSON, as the whole number it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WholeIterations = Annotated[int, Field(ge=ITERATIONS_MIN, le=ITERATIONS_MAX)]


class ConfigIn(_Body):
    """What to compute. Variables and output cells may be left out where the model has them marked.

    They may be left out too where the workbook says them by itself: RAND(), RiskNormal(10,2), RiskOutput().
    """

    # 1e5 is how people and the command line write it; JSON has one kind of number.
    iterations: Annotated[
        int,
        Field(ge=ITERATIONS_MIN, le=ITERATIONS_MAX),
        BeforeValidator(whole_number, json_schema_input_type=WholeIterations),
    ] = Field(description="How many; your plan may bound them further.", examples=[100_000])
    variables: Annotated[list[VariableIn], Field(max_length=INPUTS_MAX)] | None = Field(
        None,
        description="The cells whose numbers are drawn; else those marked. What formulas draw by themselves comes "
        "behind them.",
        examples=[[VARIABLE]],
    )
    output_cells: Annotated[list[Reference], Field(max_length=OUTPUTS_MAX)] | None = Field(
        None,
        description="The cells to watch; else those marked, else `written_outputs`.",
        examples=[["Risk!B16"]],
    )
    confidence_levels: Annotated[
        list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1, max_length=CONFIDENCE_LEVELS_MAX)
    ] = Field([0.95, 0.99], description="Of value at risk.")
    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] | None = Field(
        None, description="The same seed gives the same numbers; else one is chosen.", examples=[7]
    )
    sampling: Literal["monte_carlo", "latin_hypercube", "sobol"] = Field(
        "monte_carlo", description="How draws are spread: see the [guide to simulation](/docs/simulation)."
    )
    correlations: Annotated[list[CorrelationIn], Field(max_length=CORRELATIONS_MAX)] = Field(
        default_factory=list,
        description="Of variables; pairs that are not named have none. What cannot be is repaired, and reported. "
        "Where these and the variables are left out: those marked.",
        examples=[[CORRELATION]],
    )
    stress: Annotated[list[StressIn], Field(max_length=INPUTS_MAX)] = Field(
        default_factory=list,
        description="Inputs that are held in a part of their range; all else draws as without: see the "
        "[guide to studies](/docs/studies).",
        examples=[[STRESS]],
    )
    targets: Annotated[list[Number], Field(max_length=TARGETS_MAX)] = Field(
        default_factory=list,
        description="Values: results tell which share of each output's numbers lies at or below them.",
        examples=[[1_000_000]],
    )
    tolerance: Annotated[float, Field(gt=0, lt=1)] = Field(
        TOLERANCE_DEFAULT,
        description="How closely statistics must be known to count as settled, as a share of them: see the "
        "[guide to simulation](/docs/simulation).",
    )
    keep_samples: bool = Field(
        False,
        description="Keep every draw and every value, to be downloaded as Parquet or CSV. At 8 bytes a number they "
        "may take as much as a file of your plan.",
    )
    webhook_url: RunUrl | None = None


class SimulationIn(_Body):
    """A run to start."""

    model_id: Annotated[str, Field(min_length=1, max_length=REFERENCE_LENGTH_MAX)] = Field(
        description="Of one of your models.", examples=["MODEL_ID"]
    )
    simulation_config: ConfigIn
    webhook_url: RunUrl | None = Field(None, description="The same as that of `simulation_config`.")


class ModelIn(_Body):
    """What to change of a model; what is left out stays as it is."""

    model_name: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)] | None = Field(
        None, examples=["Portfolio 2026"]
    )
    description: Annotated[str, Field(max_length=DESCRIPTION_LENGTH_MAX)] | None = None
    tags: Annotated[list[Tag], Field(max_length=TAGS_MAX)] | None = Field(None, examples=[["budget"]])
    inputs: Annotated[list[VariableIn], Field(max_length=INPUTS_MAX)] | None = Field(
        None, description="All cells whose numbers are drawn.", examples=[[VARIABLE]]
    )
    outputs: Annotated[list[Reference], Field(max_length=OUTPUTS_MAX)] | None = Field(
        None, description="All cells to watch.", examples=[["Risk!B16"]]
    )
    correlations: Annotated[list[CorrelationIn], Field(max_length=CORRELATIONS_MAX)] | None = Field(
        None,
        description="All correlations of the inputs, for runs that leave their variables out.",
        examples=[[CORRELATION]],
    )
