"""Everybody's audit list, as a page and as a file."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from tollway.audit import flows as audit_flows
from tollway.audit import operations as audit
from tollway.audit.entities import Entry, EntryFilter
from tollway.customers import directory_operations as directory
from tollway.customers import operations as customers
from tollway.customers.permissions import Permission
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.paging import Page as Listed
from tollway.kit.problems import FieldError, Invalid
from tollway.web.admin.frame import admin_shell
from tollway.web.audit_lists import AskedFor, csv_response, list_context
from tollway.web.pages import Page, PageNeeds, html

PAGE_SIZE = 50
CUSTOMER_ID = re.compile(r"cus_[A-Za-z0-9]{1,100}")

router = APIRouter(prefix="/admin", route_class=ReplayingRoute, include_in_schema=False)
Auditor = Annotated[Page, Depends(PageNeeds(Permission.ADMIN_AUDIT))]


@router.get("/audit")
async def list_audit(request: Request, page: Auditor, cursor: str | None = None) -> Response:
    """List everybody's entries, newest first, chosen by the form."""
    asked = AskedFor.by(request, "customer")
    found: Listed[Entry] = Listed([], None)
    problem: Invalid | None = None
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        try:
            chosen, customer_id = asked.chosen, await _asked_customer(tx, asked)
        except Invalid as failure:
            problem = failure
        else:
            found = await _list(tx, customer_id, chosen, cursor, PAGE_SIZE)
        owners = {entry.customer_id for entry in found.items if entry.customer_id is not None}
        customer_ids = await directory.list_public_ids(tx, owners)
    return html(
        request,
        "admin/audit.html",
        problem.status if problem else 200,
        shell=shell,
        **list_context(request, asked, found, problem, customer_ids),
    )


@router.get("/audit.csv")
async def download_audit(request: Request, page: Auditor) -> Response:
    """Download what the form chooses; that everybody's entries left the house is an entry too."""
    asked = AskedFor.by(request, "customer")
    chosen = asked.chosen
    async with page.database.transaction() as tx:
        customer_id = await _asked_customer(tx, asked)
        await audit.record_entry(
            tx,
            action="audit.exported",
            customer_id=None,
            actor=page.caller.actor,
            subject=asked.values["customer"] or "everybody",
            address=page.caller.address,
            now=page.now,
            actor_name=page.signed_in.user.email,
            user_id=page.signed_in.user.id,
        )

    async def read(tx: Transaction, cursor: str | None, limit: int) -> Listed[Entry]:
        return await _list(tx, customer_id, chosen, cursor, limit)

    pieces = audit_flows.write_csv(page.database, read, directory.list_public_ids)
    return csv_response(pieces, "audit", page.now)


async def _list(
    tx: Transaction, customer_id: int | None, chosen: EntryFilter, cursor: str | None, limit: int
) -> Listed[Entry]:
    if customer_id is None:
        return await audit.list_all_entries(tx, cursor, limit, chosen)
    return await audit.list_entries(tx, customer_id, cursor, limit, chosen)


async def _asked_customer(tx: Transaction, asked: AskedFor) -> int | None:
    public_id = asked.values["customer"]
    if not public_id:
        return None
    customer = await customers.find_customer(tx, public_id) if CUSTOMER_ID.fullmatch(public_id) else None
    if customer is None:
        message = (
            "There is no customer with that id. Copy it from the list of customers; it begins with cus_."
        )
        raise Invalid(message, errors=(FieldError("/customer", message),))
    return customer.id
