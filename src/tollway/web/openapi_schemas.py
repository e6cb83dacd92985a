"""JSON Schemas as people read them: one row for each member, and an example of the whole.

Pure: schemas of an OpenAPI document in, plain values out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tollway.web.markdown import render_line

DEPTH_MAX = 6
ROWS_MAX = 200
TEXT_BY_FORMAT = {
    "email": "you@example.com",
    "date-time": "2026-06-15T12:00:00Z",
    "date": "2026-06-15",
    "uri": "https://example.com/",
    "uuid": "5f1d2c3b-8a7e-4f60-9b1a-2c3d4e5f6071",
    "ipv4": "203.0.113.7",
    "binary": "(file)",
}
_REF = "#/components/schemas/"


@dataclass(frozen=True, slots=True)
class Row:
    """One member of a body: its dotted name, its type, and its bounds as short sentences."""

    name: str
    type: str
    required: bool
    description: Markup
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Schemas:
    """The schemas that a document names."""

    named: dict[str, Any]

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Follow a reference, keeping what stands beside it."""
        seen = 0
        while "$ref" in schema and seen < DEPTH_MAX:
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            schema = self.named.get(str(schema["$ref"]).removeprefix(_REF), {}) | beside
            seen += 1
        return schema

    def rows(self, schema: dict[str, Any]) -> tuple[Row, ...]:
        """Lay a body out, what is nested under dotted names: `config.variables[].cell`."""
        found = []
        for row in self._rows(schema, "", 0):
            found.append(row)
            if len(found) == ROWS_MAX:
                break
        return tuple(found)

    def _rows(self, schema: dict[str, Any], prefix: str, depth: int) -> Iterator[Row]:
        body, _ = self._without_null(schema)
        if depth > DEPTH_MAX:
            return
        required = body.get("required", [])
        for name, member in body.get("properties", {}).items():
            yield self.row(prefix + name, member, required=name in required)
            yield from self._nested(member, prefix + name, depth)
        values = body.get("additionalProperties")
        if isinstance(values, dict) and (self.resolve(values).get("properties")):
            yield from self._rows(values, prefix + "*.", depth + 1)
        if not prefix and body.get("type") == "array":
            yield from self._rows(body.get("items", {}), "[].", depth + 1)

    def _nested(self, member: dict[str, Any], name: str, depth: int) -> Iterator[Row]:
        inner, _ = self._without_null(member)
        suffix = "."
        while inner.get("type") == "array":
            inner, _ = self._without_null(inner.get("items", {}))
            suffix = "[]" + suffix
        yield from self._rows(inner, name + suffix, depth + 1)

    def row(self, name: str, schema: dict[str, Any], *, required: bool) -> Row:
        """Describe one member or parameter."""
        inner, may_be_null = self._without_null(schema)
        written = self.type_of(inner) + (" or null" if may_be_null else "")
        description = str(schema.get("description") or inner.get("description") or "").partition("\n\n")[0]
        return Row(name, written, required, render_line(description), self._facts(schema, inner))

    def type_of(self, schema: dict[str, Any]) -> str:
        """Name a schema's type in a word or two."""
        schema, may_be_null = self._without_null(schema)
        if may_be_null:
            return f"{self.type_of(schema)} or null"
        if "enum" in schema or "const" in schema:
            return str(schema.get("type", "string"))
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return " or ".join(dict.fromkeys(self.type_of(one) for one in choices))
        kind = schema.get("type", "any")
        if isinstance(kind, list):
            return " or ".join(kind)
        if kind == "array":
            return f"array of {self.type_of(schema.get('items', {}))}"
        if schema.get("format") == "binary":
            return "file"
        return f"{kind} ({schema['format']})" if "format" in schema else str(kind)

    def _without_null(self, schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Take `null` out of what a schema allows; say whether it was there."""
        schema = self.resolve(schema)
        choices = schema.get("anyOf") or schema.get("oneOf") or []
        rest = [one for one in choices if one.get("type") != "null"]
        if len(rest) == len(choices) or not rest:
            return schema, False
        beside = {name: value for name, value in schema.items() if name not in ("anyOf", "oneOf")}
        return (self.resolve(rest[0]) if len(rest) == 1 else {"anyOf": rest}) | beside, True

    def _facts(self, schema: dict[str, Any], inner: dict[str, Any]) -> tuple[str, ...]:
        facts = [*_bounds(inner)]
        if inner.get("type") == "array":
            items, _ = self._without_null(inner.get("items", {}))
            facts += [f"each {fact}" for fact in _bounds(items)]
        default = schema.get("default", inner.get("default"))
        if default is not None and default != "":
            facts.append(f"default {_written(default)}")
        return tuple(facts)

    def example(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """Make one value that the schema allows, of its own examples where it has any."""
        schema, _ = self._without_null(schema)
        for name in ("example", "default", "const"):
            if schema.get(name) is not None:
                return schema[name]
        for name in ("examples", "enum"):
            if schema.get(name):
                return schema[name][0]
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return self.example(choices[0], depth + 1)
        return self._example_of_type(schema, depth)

    def _example_of_type(self, schema: dict[str, Any], depth: int) -> Any:
        match schema.get("type"):
            case "array":
                return [self.example(schema.get("items", {}), depth + 1)] if depth < DEPTH_MAX else []
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return False
            case "null":
                return None
            case "string":
                return TEXT_BY_FORMAT.get(schema.get("format", ""), "text")
        if depth >= DEPTH_MAX:
            return {}
        made = {
            name: self.example(member, depth + 1)
            for name, member in schema.get("properties", {}).items()
            if self._is_shown(name, member, schema.get("required", []))
        }
        values = schema.get("additionalProperties")
        if not made and isinstance(values, dict) and values:
            made["name"] = self.example(values, depth + 1)
        return made

    def _is_shown(self, name: str, member: dict[str, Any], required: list[str]) -> bool:
        """Whether an example has this member: it must, or its author gave an example of it."""
        inner, _ = self._without_null(member)
        return name in required or bool(inner.get("examples") or inner.get("example"))


def _bounds(schema: dict[str, Any]) -> list[str]:
    facts = []
    if "enum" in schema:
        facts.append("one of " + ", ".join(_written(one) for one in schema["enum"]))
    if "const" in schema:
        facts.append(f"always {_written(schema['const'])}")
    low, high = schema.get("minimum"), schema.get("maximum")
    facts += _between(low, high, "")
    if "exclusiveMinimum" in schema:
        facts.append(f"above {_number(schema['exclusiveMinimum'])}")
    if "exclusiveMaximum" in schema:
        facts.append(f"below {_number(schema['exclusiveMaximum'])}")
    facts += _between(schema.get("minLength"), schema.get("maxLength"), " characters")
    facts += _between(schema.get("minItems"), schema.get("maxItems"), " entries")
    if "pattern" in schema:
        facts.append(f"matches {schema['pattern']}")
    return facts


def _between(low: float | None, high: float | None, unit: str) -> list[str]:
    if low is not None and high is not None:
        return [f"{_number(low)} to {_number(high)}{unit}"]
    if low is not None:
        return [f"at least {_number(low)}{unit}"]
    return [] if high is None else [f"at most {_number(high)}{unit}"]


def _number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,}"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
