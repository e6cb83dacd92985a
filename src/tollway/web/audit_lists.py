"""What the customer's activity page and the administrators' audit page share: the form, the rows, the file."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from tollway.audit.entities import ACTION_GROUPS, Entry, EntryFilter, chosen_by
from tollway.audit.operations import describe_action
from tollway.kit.paging import Page
from tollway.kit.problems import Invalid
from tollway.web.pages import field_errors

FIELDS = ("action", "actor", "subject", "from", "until")


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What a reader typed into the form, kept as it was typed."""

    values: Mapping[str, str]

    @classmethod
    def by(cls, request: Request, *further: str) -> "AskedFor":
        """Read the fields of the form, and `further` ones, off an address."""
        return cls({name: request.query_params.get(name, "") for name in (*FIELDS, *further)})

    @property
    def chosen(self) -> EntryFilter:
        """The filter that was meant; raises Invalid."""
        values = self.values
        return chosen_by(
            action=values["action"],
            actor=values["actor"],
            subject=values["subject"],
            from_day=values["from"],
            until_day=values["until"],
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether anything was asked for at all."""
        return any(self.values.values())

    def address(self, path: str, **further: str) -> str:
        """Write an address that asks for the same."""
        query = {name: value for name, value in {**self.values, **further}.items() if value}
        return f"{path}?{urlencode(query)}" if query else path


def list_context(
    request: Request,
    asked: AskedFor,
    found: Page[Entry],
    problem: Invalid | None = None,
    customer_ids: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """Gather what `parts/audit_entries.html` shows; a `problem` stands beside the fields of the form."""
    path = request.url.path
    return {
        "values": asked.values,
        "errors": field_errors(problem) if problem else {},
        "action_groups": ACTION_GROUPS,
        "entries": [_row(entry, customer_ids) for entry in found.items],
        "is_narrowed": asked.is_narrowed,
        "list_url": path,
        "csv_url": asked.address(f"{path}.csv"),
        "next_url": asked.address(path, cursor=found.next_cursor) if found.next_cursor else None,
        "first_url": asked.address(path) if request.query_params.get("cursor") else None,
        "customers_shown": customer_ids is not None,
    }


def csv_response(pieces: AsyncIterator[str], name: str, now: datetime) -> Response:
    """Answer with a file that is sent while it is read."""
    headers = {"Content-Disposition": f'attachment; filename="{name}-{now:%Y-%m-%d}.csv"'}
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)


def _row(entry: Entry, customer_ids: Mapping[int, str] | None) -> dict[str, Any]:
    whose = customer_ids.get(entry.customer_id, "") if customer_ids and entry.customer_id is not None else ""
    return {
        "occurred_at": entry.occurred_at,
        "description": describe_action(entry.action),
        "action": entry.action,
        "who": entry.shown_actor,
        # Shown a second time only where a name hides it.
        "actor": entry.actor if entry.shown_actor != entry.actor else "",
        "on_behalf_of": entry.on_behalf_of,
        "subject": entry.subject,
        "address": entry.shown_address,
        "details": ", ".join(
            f"{name.replace('_', ' ')}: {' '.join(map(str, value)) if isinstance(value, list) else value}"
            for name, value in sorted(entry.details.items())
        ),
        "customer": whose,
    }
