"""The one cookie we set, written so that a browser guards it: no script, no other site, no plain wire."""

from starlette.requests import Request
from starlette.responses import Response

# The prefix makes a browser refuse the cookie unless it came over HTTPS, from this host, for all of it.
SECURE_NAME = "__Host-tollway_session"
# Browsers take no such cookie over HTTP, which is what a server on one's own machine speaks.
LOCAL_NAME = "tollway_session"


def set_session_cookie(response: Response, secret: str, *, secure: bool, seconds_max: int) -> None:
    """Sign the browser in that gets this response.

    Args:
        secure: whether customers come over HTTPS; False for a server at http://localhost alone.
        seconds_max: how long the browser keeps it.
    """
    response.set_cookie(
        _name(secure=secure),
        secret,
        max_age=seconds_max,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def clear_session_cookie(response: Response, *, secure: bool) -> None:
    """Take the cookie away from the browser that gets this response."""
    response.delete_cookie(_name(secure=secure), path="/", secure=secure, httponly=True, samesite="lax")


def read_session_cookie(request: Request, *, secure: bool) -> str | None:
    """Return the secret that a browser sent; over HTTPS only the guarded name counts."""
    return request.cookies.get(_name(secure=secure)) or None


def _name(*, secure: bool) -> str:
    return SECURE_NAME if secure else LOCAL_NAME
