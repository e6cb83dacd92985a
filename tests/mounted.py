"""The routes that the application serves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from tollway.admission.operations import call_of
from tollway.app import Parts, build_app
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.web.pages import PageNeeds


@dataclass(frozen=True)
class Mounted:
    """One endpoint or page, and the permissions that it asks for."""

    path: str
    methods: frozenset[str]
    asks: frozenset[Permission]
    # A product's own endpoint, which takes an API key and counts.
    is_metered: bool


def routes_of(parts: Parts) -> list[Mounted]:
    """Give every mounted endpoint and page."""
    app: object = build_app(parts)
    while not isinstance(app, FastAPI):
        app = app.app  # type: ignore[attr-defined]
    return [
        _mounted(str(route.path_format), frozenset(route.methods or ()), route.original_route)
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute)
    ]


def _mounted(path: str, methods: frozenset[str], route: APIRoute) -> Mounted:
    calls = list(_calls(route.dependant))
    return Mounted(
        path,
        methods,
        asks=frozenset(one.permission for one in calls if isinstance(one, Needs | PageNeeds)),
        is_metered=call_of in calls,
    )


def _calls(dependant: Dependant) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)
