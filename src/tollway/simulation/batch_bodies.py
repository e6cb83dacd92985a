"""What the Monte Carlo API takes for batches: scenarios, and what holds for all of them."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tollway.simulation.bodies import ConfigIn, RunUrl, WholeIterations, whole_number
from tollway.simulation.entities import REFERENCE_LENGTH_MAX
from tollway.simulation.studies import SCENARIOS_MAX, STUDY_NAME_LENGTH_MAX

StudyName = Annotated[str, Field(min_length=1, max_length=STUDY_NAME_LENGTH_MAX)]
MaybeIterations = Annotated[
    WholeIterations | None, BeforeValidator(whole_number, json_schema_input_type=WholeIterations | None)
]


class BatchConfigIn(ConfigIn):
    """What to compute in every scenario that does not say otherwise; the members of a run's `simulation_config`."""

    iterations: MaybeIterations = Field(  # type: ignore[assignment]  # here it may be left to the scenarios
        None, description="How many; your plan may bound them further.", examples=[100_000]
    )


class ScenarioIn(BatchConfigIn):
    """One run of the batch; any member of `simulation_config` that stands here wins over the one that holds for all."""

    model_id: Annotated[str, Field(min_length=1, max_length=REFERENCE_LENGTH_MAX)] = Field(
        description="Of one of your models.", examples=["MODEL_ID"]
    )
    scenario_name: StudyName = Field(description="What to tell it apart by.", examples=["Return is low"])


class BatchIn(BaseModel):
    """Runs to start together, and to compare."""

    model_config = ConfigDict(strict=True, extra="forbid")

    batch_name: StudyName = Field(examples=["Stress of the return"])
    simulations: Annotated[list[ScenarioIn], Field(min_length=1, max_length=SCENARIOS_MAX)] = Field(
        description="The scenarios; the first is what the others are compared with.",
        examples=[
            [
                {"model_id": "MODEL_ID", "scenario_name": "As planned"},
                {
                    "model_id": "MODEL_ID",
                    "scenario_name": "Return is low",
                    "stress": [{"cell": "Risk!B5", "percentiles": [0, 10]}],
                },
            ]
        ],
    )
    simulation_config: BatchConfigIn = Field(
        default_factory=BatchConfigIn,
        description="What holds for all scenarios: variables, output cells, iterations and so on. Without a seed one "
        "is chosen, and all scenarios share it.",
        examples=[{"iterations": 100_000, "seed": 7}],
    )
    webhook_url: RunUrl | None = Field(None, description="Is told how each run ended.")


def merged_config(config: BatchConfigIn, scenario: ScenarioIn) -> tuple[dict[str, Any], frozenset[str]]:
    """Lay what a scenario says over what holds for all; return the members, and which of them are its own."""
    own = frozenset(scenario.model_fields_set & set(BatchConfigIn.model_fields))
    members = {
        name: getattr(scenario if name in own else config, name) for name in BatchConfigIn.model_fields
    }
    return members, own
