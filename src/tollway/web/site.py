"""What every page needs to know of this installation: plain values, handed in by the application."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request

from tollway.kit.findings import Finding
from tollway.kit.machine import Machine
from tollway.web.markdown import Guide


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting as administrators see it; a secret only says whether it is set."""

    name: str
    value: str
    says: str


@dataclass(frozen=True, slots=True)
class Installation:
    """What administrators see of how this server is set up."""

    settings: tuple[ShownSetting, ...]
    # Looks at what a server can look at without asking anybody outside.
    examine: Callable[[], Awaitable[list[Finding]]]
    # Looks at memory, processor time and storage of the machine.
    measure: Callable[[], Awaitable[Machine]]
    journal_folder: Path


@dataclass(frozen=True, slots=True)
class Site:
    """One installation as its pages see it."""

    base_url: str
    secure: bool
    support_email: str
    mail_from: str
    free_trial_days: int
    # Without SMTP settings mails are shown at /outbox instead of being sent.
    outbox_shown: bool
    guides: list[Guide]
    problem_pages: dict[str, Guide]
    installation: Installation


def site_of(request: Request) -> Site:
    """Give a handler its installation."""
    site = request.app.state.site
    assert isinstance(site, Site)
    return site
