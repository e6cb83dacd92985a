"""The routes that the application serves."""

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from tollway.app import Parts, build_app


def routes_of(parts: Parts) -> list[tuple[str, set[str]]]:
    """Give path and methods of every mounted endpoint and page."""
    app: object = build_app(parts)
    while not isinstance(app, FastAPI):
        app = app.app  # type: ignore[attr-defined]
    return [
        (route.path_format, set(route.methods or ()))
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute)
    ]
