"""One page for everything that an administrator does: what will happen, why it is done, and a button."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from tollway.administration.operations import REASON_LENGTH_MAX
from tollway.kit.problems import Problem
from tollway.web.admin.frame import admin_shell
from tollway.web.pages import Page, field_errors, html

# A state that changed meanwhile, and a field that cannot be used, are said on the form itself.
SAID_ON_THE_FORM = (409, 422)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What is asked before something is done. It is sent to the address that shows it."""

    title: str
    # What happens then, sentence by sentence.
    sentences: tuple[str, ...]
    button: str
    # Where the reader came from, and goes back to: address and name.
    back: tuple[str, str]
    is_danger: bool = True
    reason_hint: str = "It stands in the audit list; the customer reads it too."
    # A choice beside the reason: the field's name, its label, what can be chosen.
    choice: tuple[str, str, tuple[str, ...]] | None = None
    values: dict[str, str] = field(default_factory=dict)


async def confirm(
    request: Request, page: Page, asked: Confirmation, problem: Problem | None = None, **values: str
) -> Response:
    """Show the page, with what was typed and what is wrong with it.

    Raises: the problem itself where a form cannot say it.
    """
    if problem is not None and problem.status not in SAID_ON_THE_FORM:
        raise problem
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
    errors: dict[str, Any] = {} if problem is None else field_errors(problem)
    return html(
        request,
        "admin/confirm.html",
        problem.status if problem else 200,
        shell=shell,
        asked=asked,
        values={"reason": ""} | asked.values | values,
        errors=errors,
        reason_length_max=REASON_LENGTH_MAX,
    )
