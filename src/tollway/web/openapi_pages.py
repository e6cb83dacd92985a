"""An OpenAPI document as pages: groups of operations, each with what it takes, answers and refuses.

Pure: a document in, frozen values out; `openapi_samples` writes the code that calls them.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tollway.customers.permissions import (
    ROLE_PERMISSIONS,
    SCOPE_PERMISSIONS,
    USER_TYPE_PERMISSIONS,
    Permission,
)
from tollway.web.markdown import render_text
from tollway.web.openapi_document import operations
from tollway.web.openapi_schemas import Row, Schemas

JSON_TYPE = "application/json"
# First segments that say nothing of what is behind them.
BARE_SEGMENTS = ("api",)
SEARCH_LENGTH_MAX = 100
_NOT_IN_SLUGS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of the path, the query or the headers."""

    place: str
    row: Row
    example: Any


@dataclass(frozen=True, slots=True)
class Body:
    """What one media type of a request holds; `files` names the members that are files."""

    media_type: str
    rows: tuple[Row, ...]
    example: Any
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What one media type of an answer holds; `example` is written out."""

    media_type: str
    rows: tuple[Row, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One status that an operation answers with; `problems` are (code, title)."""

    status: str
    description: Markup
    contents: tuple[Content, ...]
    problems: tuple[tuple[str, str], ...]

    @property
    def is_good(self) -> bool:
        """Whether it did what was asked."""
        return self.status[0] in "123"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    anchor: str
    method: str
    path: str
    summary: str
    description: Markup
    callers: str
    needs_key: bool
    parameters: tuple[Parameter, ...]
    bodies: tuple[Body, ...]
    answers: tuple[Answer, ...]

    def matches(self, words: list[str]) -> bool:
        """Whether each word stands somewhere in what names it."""
        text = f"{self.method} {self.path} {self.summary} {self.description.striptags()}".lower()
        return all(word in text for word in words)


@dataclass(frozen=True, slots=True)
class Group:
    """Operations of one subject: one page."""

    slug: str
    title: str
    operations: tuple[Operation, ...]


def lay_out(document: dict[str, Any]) -> tuple[Group, ...]:
    """Sort a document's operations into groups: by tag, else by the first telling part of the path."""
    schemas = Schemas(document.get("components", {}).get("schemas", {}))
    titles: dict[str, str] = {}
    members: dict[str, list[Operation]] = {}
    for path, method, operation in operations(document):
        title = str((operation.get("tags") or [_title_of(path)])[0])
        slug = slug_of(title)
        titles.setdefault(slug, title)
        members.setdefault(slug, []).append(_operation(schemas, path, method, operation))
    ordered = sorted(titles.items(), key=lambda one: one[1].lower())
    return tuple(Group(slug, title, tuple(members[slug])) for slug, title in ordered)


def search(groups: tuple[Group, ...], wanted: str) -> tuple[Group, ...]:
    """Keep the operations that hold every word of `wanted`."""
    words = wanted[:SEARCH_LENGTH_MAX].lower().split()
    found = (
        Group(one.slug, one.title, tuple(each for each in one.operations if each.matches(words)))
        for one in groups
    )
    return tuple(one for one in found if one.operations)


def slug_of(text: str) -> str:
    """Write a text as part of an address."""
    return _NOT_IN_SLUGS.sub("-", text.lower()).strip("-") or "api"


def _title_of(path: str) -> str:
    segments = [one for one in path.split("/") if one and not one.startswith("{")]
    telling = [one for one in segments if one not in BARE_SEGMENTS] or segments or ["api"]
    return telling[0].replace("-", " ").replace("_", " ").capitalize()


def _operation(schemas: Schemas, path: str, method: str, operation: dict[str, Any]) -> Operation:
    return Operation(
        anchor=f"{method}-{slug_of(path)}",
        method=method.upper(),
        path=path,
        summary=str(operation.get("summary") or operation.get("operationId") or path),
        description=render_text(operation.get("description", "")),
        callers=_callers(operation),
        needs_key=bool(operation.get("security")),
        parameters=tuple(_parameter(schemas, one) for one in operation.get("parameters", [])),
        bodies=tuple(
            _body(schemas, media_type, content)
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
        ),
        answers=tuple(
            _answer(schemas, status, declared) for status, declared in operation["responses"].items()
        ),
    )


def _callers(operation: dict[str, Any]) -> str:
    """Say in a sentence who may call an operation."""
    name = operation.get("x-permission")
    if name is None:
        scope = operation.get("x-scope")
        return f"An API key of the product, with the scope {scope}." if scope else "Anybody, without a key."
    if name not in {one.value for one in Permission}:
        return f"Callers with the permission {name}."
    permission = Permission(name)
    if permission.is_administrative:
        kinds = [one.replace("_", " ") for one, held in USER_TYPE_PERMISSIONS.items() if permission in held]
        return f"Signed in as {_either(kinds)}, with a second factor."
    roles = [str(one) for one, held in ROLE_PERMISSIONS.items() if permission in held]
    scopes = [str(one) for one, held in SCOPE_PERMISSIONS.items() if permission in held]
    people = f"Signed in as {_either(roles)}" if roles else "Nobody signed in"
    return (
        f"{people}; or an API key with the scope {_either(scopes)}." if scopes else f"{people}; no API key."
    )


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _parameter(schemas: Schemas, declared: dict[str, Any]) -> Parameter:
    schema = declared.get("schema", {}) | (
        {"description": declared["description"]} if "description" in declared else {}
    )
    row = schemas.row(declared["name"], schema, required=bool(declared.get("required")))
    return Parameter(str(declared["in"]), row, declared.get("example", schemas.example(schema)))


def _body(schemas: Schemas, media_type: str, content: dict[str, Any]) -> Body:
    schema = schemas.resolve(content.get("schema", {}))
    files = tuple(
        name
        for name, member in schema.get("properties", {}).items()
        if schemas.resolve(member).get("format") == "binary"
    )
    return Body(media_type, schemas.rows(schema), _example_of(schemas, content), files)


def _answer(schemas: Schemas, status: str, declared: dict[str, Any]) -> Answer:
    problems = tuple((one["code"], one["title"]) for one in declared.get("x-problems", []))
    contents = () if status[0] in "45" and problems else declared.get("content", {}).items()
    return Answer(
        status=status,
        description=render_text(declared.get("description", "")),
        contents=tuple(_content(schemas, media_type, content) for media_type, content in contents),
        problems=problems,
    )


def _content(schemas: Schemas, media_type: str, content: dict[str, Any]) -> Content:
    example = _example_of(schemas, content) if media_type == JSON_TYPE else None
    return Content(
        media_type=media_type,
        rows=schemas.rows(content.get("schema", {})),
        example=json.dumps(example, indent=2, ensure_ascii=False) if example not in (None, {}) else "",
    )


def _example_of(schemas: Schemas, content: dict[str, Any]) -> Any:
    if "example" in content:
        return content["example"]
    named = [one.get("value") for one in content.get("examples", {}).values()]
    return named[0] if named else schemas.example(content.get("schema", {}))
