"""`/docs`: the guides and the pages of error codes, with the reader's own test key in the samples."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from tollway.customers.callers import SessionCaller
from tollway.customers.permissions import Permission, scopes_within
from tollway.keys import operations as keys
from tollway.kit.http import database_of
from tollway.kit.problems import NotFound
from tollway.web.markdown import Guide
from tollway.web.pages import Visitor, html, redirect
from tollway.web.site import Site, site_of

# Stands in samples where nobody is signed in; it has the form of a key and is none.
SAMPLE_API_KEY = "YOUR_API_KEY"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def show_first_guide(request: Request) -> Response:
    """Lead to the guide that comes first."""
    return redirect(f"/docs/{site_of(request).guides[0].slug}")


@router.get("/docs/{slug}")
async def show_guide(request: Request, slug: str, visitor: Visitor) -> Response:
    """Show one guide."""
    site = site_of(request)
    for position, guide in enumerate(site.guides):
        if guide.slug == slug:
            before = site.guides[position - 1] if position else None
            after = site.guides[position + 1] if position + 1 < len(site.guides) else None
            return await _show(request, guide, visitor, before, after)
    raise NotFound(f"There is no guide called {slug!r}.")


@router.get("/docs/problems/{code}")
async def show_problem_page(request: Request, code: str, visitor: Visitor) -> Response:
    """Show what an error code means; a Problem's `type` points here."""
    guide = site_of(request).problem_pages.get(code)
    if guide is None:
        raise NotFound(f"There is no error code {code!r}.")
    return await _show(request, guide, visitor, None, None)


@router.get("/llms.txt")
async def list_guides_as_text(request: Request) -> PlainTextResponse:
    """List the guides for programs that read."""
    site = site_of(request)
    lines = [f"- [{guide.title}]({site.base_url}/docs/{guide.slug})" for guide in site.guides]
    return PlainTextResponse("# Tollway\n\n" + "\n".join(lines) + "\n")


async def _show(
    request: Request, guide: Guide, visitor: SessionCaller | None, before: Guide | None, after: Guide | None
) -> Response:
    site: Site = site_of(request)
    api_key = await find_own_test_key(request, visitor)
    # A page with a key in it is rendered for one reader; the default headers keep it out of shared caches.
    return html(
        request,
        "public/docs.html",
        guide={
            "title": guide.title,
            "slug": guide.slug,
            "html": guide.html({"api_key": api_key or SAMPLE_API_KEY, "base_url": site.base_url}),
            "headings": guide.headings,
        },
        guides=site.guides,
        uses_own_key=api_key is not None,
        previous_guide=before,
        next_guide=after,
        signed_in=visitor is not None,
    )


async def find_own_test_key(request: Request, visitor: SessionCaller | None) -> str | None:
    """Return the reader's own test key, whole, for samples that run as pasted.

    None for strangers, for whoever may not see keys, and for an administrator who looks in a customer's place.
    """
    if visitor is None or visitor.customer is None:
        return None
    caller = visitor.as_caller(request.scope["client_address"])
    if not caller.may(Permission.KEYS_MANAGE):
        # What a reader may not have shown on the page of keys does not stand in samples either.
        return None
    async with database_of(request).transaction() as tx:
        api_key = await keys.find_default_test_key(
            tx, visitor.customer.id, scopes=scopes_within(caller.permissions)
        )
        return None if api_key is None else await keys.reveal_test_key(tx, request.app.state.sealer, api_key)
