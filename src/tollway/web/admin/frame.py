"""What every page of the administration shares: its frame, who may open which of them, its pagination."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends

from tollway.customers import member_operations as members
from tollway.customers.permissions import Permission
from tollway.kit.db import Transaction
from tollway.web.pages import Page, PageNeeds


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
    """Where a list of numbered pages goes on; `parts.numbered_pages` shows it."""

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


def page_links(path: str, asked: Mapping[str, str], page: int, pages: int, total: int) -> PageLinks:
    """Write where the neighbours of one numbered page are, with what was asked for kept."""

    def address(number: int) -> str:
        return f"{path}?{urlencode({**{k: v for k, v in asked.items() if v}, 'page': number})}"

    return PageLinks(
        page,
        pages,
        total,
        address(page - 1) if page > 1 else None,
        address(page + 1) if page < pages else None,
    )


# Who may look; each is `PageNeeds` of one permission. Whatever changes something asks for a recent proof too.
CustomersSeen = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_CUSTOMERS_VIEW))]
CustomersManaged = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_CUSTOMERS_MANAGE, proven=True))]
KeysManaged = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_KEYS_MANAGE, proven=True))]
UsersSeen = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_USERS_VIEW))]
UsersManaged = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_USERS_MANAGE, proven=True))]
UserTypesManaged = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_USER_TYPES, proven=True))]
SettingsSeen = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_SETTINGS))]
