"""What every page of the administration shares: its frame, who may open which of them, its pagination."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Request

from tollway.administration.operations import PER_PAGE, Asked, NumberedPage
from tollway.customers import member_operations as members
from tollway.customers.permissions import Permission
from tollway.kit.db import Transaction
from tollway.kit.problems import Invalid
from tollway.web.pages import Page, PageNeeds

Item = TypeVar("Item")

DIGITS_MAX = 8


@dataclass(frozen=True)
class AdminShell:
    """What the frame around every page of the administration shows; `layouts/admin.html` takes it as `shell`.

    `path` is the address asked for, and marks the place in the navigation; `may` says which places there are.
    """

    path: str
    email: str
    user_type: str
    may: frozenset[str]
    # Whether the administrator belongs to a customer too, whose pages they may go to.
    is_member: bool


@dataclass(frozen=True, slots=True)
class PageLinks:
    """Where a list of numbered pages goes on; `admin/_parts.html` shows it."""

    page: int
    pages: int
    total: int
    previous_url: str | None
    next_url: str | None


async def admin_shell(page: Page, tx: Transaction) -> AdminShell:
    """Gather what the frame shows."""
    user = page.signed_in.user
    return AdminShell(
        path=page.request.url.path,
        email=user.email,
        user_type=user.user_type.value,
        may=frozenset(page.caller.permissions),
        is_member=bool(await members.list_memberships(tx, user.id)),
    )


async def listed_pages(
    request: Request,
    values: Mapping[str, str],
    read: Callable[[Asked], Awaitable[NumberedPage[Item]]],
) -> tuple[list[Item], PageLinks, Invalid | None]:
    """Read the page of a list that an address asks for, with what was asked for wrongly instead of raising it."""
    number = request.query_params.get("page", "1")
    try:
        found = await read(Asked.checked(values["search"], _page_number(number), PER_PAGE))
    except Invalid as problem:
        return [], PageLinks(1, 1, 0, None, None), problem

    def address(page: int) -> str:
        query = {name: value for name, value in values.items() if value} | {"page": str(page)}
        return f"{request.url.path}?{urlencode(query)}"

    links = PageLinks(
        found.page,
        found.pages,
        found.total,
        address(found.page - 1) if found.page > 1 else None,
        address(found.page + 1) if found.page < found.pages else None,
    )
    return found.items, links, None


def _page_number(written: str) -> int:
    """Read a number; whatever is none asks for no page, which `Asked` refuses."""
    return int(written) if written.isascii() and written.isdecimal() and len(written) <= DIGITS_MAX else 0


# Who may look; each is `PageNeeds` of one permission. Whatever changes something asks for a recent proof too.
CustomersSeen = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_CUSTOMERS_VIEW))]
CustomersManaged = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_CUSTOMERS_MANAGE, proven=True))]
KeysManaged = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_KEYS_MANAGE, proven=True))]
UsersSeen = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_USERS_VIEW))]
UsersManaged = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_USERS_MANAGE, proven=True))]
UserTypesManaged = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_USER_TYPES, proven=True))]
SettingsSeen = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_SETTINGS))]
