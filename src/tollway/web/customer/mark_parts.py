"""`/parts`: pieces of a model's page that a script asks for while somebody types."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute
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
    picture, error = picture_or_error(distribution.strip())
    return html(request, "customer/_distribution_picture.html", picture=picture, error=error)
