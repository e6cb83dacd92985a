"""What every page needs to know of this installation: plain values, handed in by the application."""

from dataclasses import dataclass, field
from pathlib import Path

from fastapi import Request

from tollway.web.markdown import Guide


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
    static_folder: Path = field(default=Path(__file__).parent / "static")


def site_of(request: Request) -> Site:
    """Give a handler its installation."""
    site = request.app.state.site
    assert isinstance(site, Site)
    return site
