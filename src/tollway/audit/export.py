"""The audit list as CSV (RFC 4180), safe to open in a spreadsheet."""

import json
from collections.abc import Iterable, Mapping

from tollway.audit.entities import Entry
from tollway.audit.wording import words_for
from tollway.kit.csv_text import csv_lines

COLUMNS = (
    "occurred_at",
    "action",
    "description",
    "actor",
    "actor_name",
    "on_behalf_of",
    "subject",
    "ip_address",
    "request_id",
    "details",
)
CUT = "Cut: this file holds the {count:,} newest entries. Choose fewer days to read older ones."


def heading(customers_shown: bool) -> str:
    """Write the first line."""
    return csv_lines([(*COLUMNS, "customer") if customers_shown else COLUMNS])


def lines_of(entries: Iterable[Entry], customer_ids: Mapping[int, str] | None = None) -> str:
    """Write entries, a line each; with a mapping of ids to public ids also whose they are."""
    return csv_lines(_cells(entry, customer_ids) for entry in entries)


def cut_line(count: int, customers_shown: bool) -> str:
    """Write the last line of a file that could not hold everything, as wide as the others."""
    width = len(COLUMNS) + customers_shown
    return csv_lines([(CUT.format(count=count), *[""] * (width - 1))])


def _cells(entry: Entry, customer_ids: Mapping[int, str] | None) -> tuple[str, ...]:
    cells = (
        f"{entry.occurred_at:%Y-%m-%dT%H:%M:%SZ}",
        entry.action,
        words_for(entry.action),
        entry.actor,
        "erased" if entry.is_erased else entry.actor_name,
        entry.on_behalf_of,
        entry.subject,
        entry.shown_address,
        entry.request_id,
        json.dumps(entry.details, ensure_ascii=False, sort_keys=True) if entry.details else "",
    )
    if customer_ids is None:
        return cells
    return (*cells, customer_ids.get(entry.customer_id, "") if entry.customer_id is not None else "")
