"""`/parts`: pieces of a model's page that a script asks for while somebody types."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from tollway.customers.permissions import Permission
from tollway.kit.forms import received_form
from tollway.kit.http import ReplayingRoute
from tollway.simulation.mark_flows import DistributionReader
from tollway.web.customer.correlation_views import pair_fields, rows_of_form, told_repair
from tollway.web.customer.model_marks import FORM_LIMITS
from tollway.web.distribution_pictures import picture_or_error
from tollway.web.distributions import DISTRIBUTION_LENGTH_MAX
from tollway.web.pages import PageNeeds, html

router = APIRouter(prefix="/parts", route_class=ReplayingRoute, include_in_schema=False)


@router.get("/distribution", dependencies=[Depends(PageNeeds(Permission.VIEW))])
async def show_distribution(
    request: Request,
    distribution: Annotated[str, Query(max_length=DISTRIBUTION_LENGTH_MAX)] = "",
) -> Response:
    """Draw a distribution as it is typed, or say what is wrong with it; nothing where nothing is typed yet."""
    # Some shapes are read off tables of a million steps, which take seconds to make.
    picture, error = await asyncio.to_thread(picture_or_error, distribution.strip(), DistributionReader())
    return html(request, "customer/_distribution_picture.html", picture=picture, error=error)


@router.post("/correlations", dependencies=[Depends(PageNeeds(Permission.VIEW))])
async def check_correlations(request: Request) -> Response:
    """Say what of the correlations in the form is impossible and would be changed; nothing where all is well."""
    async with received_form(request, FORM_LIMITS) as form:
        rows = rows_of_form(*pair_fields(form))
    repair = await asyncio.to_thread(told_repair, rows)
    return html(request, "customer/_correlation_repair.html", repair=repair)
