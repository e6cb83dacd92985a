"""`/docs/api`: the reference of every endpoint, made from the OpenAPI document, with the reader's own test key."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tollway.kit.problems import NotFound
from tollway.web.openapi_pages import SEARCH_LENGTH_MAX, Group, lay_out, search
from tollway.web.openapi_samples import samples_of
from tollway.web.pages import Visitor, html
from tollway.web.public.docs import SAMPLE_API_KEY, find_own_test_key
from tollway.web.site import site_of

router = APIRouter(include_in_schema=False)


@router.get("/docs/api")
async def show_reference(request: Request, visitor: Visitor, q: str = "") -> Response:
    """List every endpoint by group; of a search, those that hold its words."""
    wanted = q.strip()[:SEARCH_LENGTH_MAX]
    groups = groups_of(request)
    return html(
        request,
        "public/reference.html",
        groups=groups,
        found=search(groups, wanted) if wanted else groups,
        wanted=wanted,
        search_length_max=SEARCH_LENGTH_MAX,
        guides=site_of(request).guides,
        base_url=site_of(request).base_url,
        signed_in=visitor is not None,
    )


@router.get("/docs/api/{slug}")
async def show_group(request: Request, slug: str, visitor: Visitor) -> Response:
    """Show one group of endpoints, whole."""
    groups = groups_of(request)
    group = next((one for one in groups if one.slug == slug), None)
    if group is None:
        raise NotFound(f"There is no group of endpoints called {slug[:40]!r}. /docs/api lists them.")
    api_key = await find_own_test_key(request, visitor)
    base_url = site_of(request).base_url
    return html(
        request,
        "public/reference_group.html",
        groups=groups,
        group=group,
        samples={
            one.anchor: samples_of(one, base_url, api_key or SAMPLE_API_KEY) for one in group.operations
        },
        guides=site_of(request).guides,
        uses_own_key=api_key is not None,
        signed_in=visitor is not None,
    )


def groups_of(request: Request) -> tuple[Group, ...]:
    """Return the document laid out; once for each application, for endpoints do not change while it runs."""
    state = request.app.state
    if not hasattr(state, "reference_groups"):
        state.reference_groups = lay_out(request.app.openapi())
    groups: tuple[Group, ...] = state.reference_groups
    return groups
