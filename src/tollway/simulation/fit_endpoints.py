"""Fits over HTTP: which distributions may have drawn the numbers of a request."""

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from tollway.engine.distributions.fitting import FITTED_KINDS
from tollway.kit.http import ReplayingRoute
from tollway.kit.openapi import problem_responses
from tollway.simulation import fit_flows, shapes
from tollway.simulation.bodies import Number
from tollway.simulation.endpoints import TheWorkshop, ThisCall
from tollway.simulation.entities import InspectionBusy
from tollway.simulation.fit_flows import FITTED_VALUES_MAX
from tollway.simulation.output_answers import Answer
from tollway.simulation.refusals import BadFitData

router = APIRouter(prefix=shapes.PREFIX, route_class=ReplayingRoute, tags=["Monte Carlo API"])

VALUES = [12.1, 9.4, 15.2, 11.7, 10.3, 13.9, 8.8, 12.6]

FittedType = Annotated[str, Field(json_schema_extra={"enum": list(FITTED_KINDS)})]


class FitIn(BaseModel):
    """Data, and what to try."""

    model_config = ConfigDict(strict=True, extra="forbid")

    values: Annotated[list[Number], Field(max_length=FITTED_VALUES_MAX)] = Field(
        description="At least 5 different numbers.", examples=[VALUES]
    )
    types: Annotated[list[FittedType], Field(min_length=1, max_length=len(FITTED_KINDS))] | None = Field(
        None, description="Of distributions to try; else all.", examples=[["normal", "gamma"]]
    )


class FittedHistogram(Answer):
    """How the values lie."""

    bin_edges: list[float] = Field(description="One more than `counts`.", examples=[[8.5, 12.0, 15.5]])
    counts: list[int] = Field(examples=[[4, 4]])


class Fitted(Answer):
    """One distribution with the parameters that make the data likeliest."""

    distribution: dict[str, Any] = Field(
        description="In the form that `inputs` and `variables` take.",
        examples=[{"type": "normal", "mean": 11.75, "std": 2.06}],
    )
    text: str = Field(
        description="The same as pages and the command line take it.", examples=["normal(11.75, 2.06)"]
    )
    log_likelihood: float = Field(examples=[-17.1])
    parameter_count: int = Field(description="How many parameters the data determined.", examples=[2])
    aic: float = Field(description="Akaike's criterion; the smallest is first.", examples=[38.3])
    bic: float = Field(description="The Bayesian one, harder on many parameters.", examples=[38.4])
    kolmogorov_smirnov: float = Field(
        description="The largest distance between the two cumulated curves, 0 to 1.", examples=[0.13]
    )
    anderson_darling: float | None = Field(
        description="The same with more weight on the tails; null for counts.", examples=[0.16]
    )


class Fits(Answer):
    """The distributions that may have drawn the values, the likeliest first."""

    count: int = Field(description="How many values there are.", examples=[8])
    minimum: float = Field(examples=[8.8])
    maximum: float = Field(examples=[15.2])
    mean: float = Field(examples=[11.75])
    histogram: FittedHistogram
    fits: list[Fitted]


@router.post(
    "/fits",
    summary="Fit distributions",
    response_model=Fits,
    responses=problem_responses(BadFitData, InspectionBusy),
)
async def fit_distributions(body: FitIn, call: ThisCall, workshop: TheWorkshop) -> Response:
    """Fit distributions to data by maximum likelihood, the smallest AIC first; nothing of it is kept."""
    outcome = await fit_flows.fit_values(workshop, call, body.values, body.types)
    return JSONResponse(outcome.body)
