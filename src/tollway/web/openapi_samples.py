"""Code that calls an operation, in three languages, ready to paste."""

import json
import re
import shlex
from typing import Any
from urllib.parse import urlencode

from tollway.web.openapi_pages import JSON_TYPE, Body, Operation

FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART_TYPE = "multipart/form-data"
SAMPLE_FILE = "workbook.xlsx"
_PLACEHOLDER = re.compile(r"\{([^}]+)\}")

Sample = tuple[str, str, str]


def samples_of(operation: Operation, base_url: str, api_key: str) -> list[Sample]:
    """Write (label, language, source) in curl, Python and JavaScript.

    Parts of the path that only the reader knows stand in capitals: MODEL_ID.
    """
    body = operation.bodies[0] if operation.bodies else None
    url = base_url + _path(operation)
    key = api_key if operation.needs_key else None
    return [
        ("curl", "bash", _curl(operation, url, key, body)),
        ("Python", "python", _python(operation, url, key, body)),
        ("JavaScript", "javascript", _javascript(operation, url, key, body)),
    ]


def _path(operation: Operation) -> str:
    fixed = {
        one.row.name: one.example
        for one in operation.parameters
        if one.place == "path" and any(fact.startswith("one of") for fact in one.row.facts)
    }
    path = _PLACEHOLDER.sub(lambda part: str(fixed.get(part[1], part[1].upper())), operation.path)
    query = {
        one.row.name: one.example for one in operation.parameters if one.place == "query" and one.row.required
    }
    return f"{path}?{urlencode(query)}" if query else path


def _headers(operation: Operation, api_key: str | None) -> dict[str, str]:
    wanted = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    return wanted | {
        one.row.name: str(one.example)
        for one in operation.parameters
        if one.place == "header" and one.row.required
    }


def _curl(operation: Operation, url: str, api_key: str | None, body: Body | None) -> str:
    method = "" if operation.method == "GET" else f"-X {operation.method} "
    lines = [f"curl {method}{shlex.quote(url)}"]
    lines += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in _headers(operation, api_key).items()]
    if body is not None and body.media_type == JSON_TYPE:
        written = json.dumps(body.example, indent=2, ensure_ascii=False)
        lines += [f"-H {shlex.quote(f'Content-Type: {JSON_TYPE}')}", f"-d {shlex.quote(written)}"]
    elif body is not None and body.media_type == MULTIPART_TYPE:
        lines += [f"-F {name}=@{SAMPLE_FILE}" for name in body.files]
        lines += [f"-F {shlex.quote(f'{name}={value}')}" for name, value in _fields(body).items()]
    elif body is not None:
        lines += [
            f"--data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in _fields(body).items()
        ]
    if _gives_a_file(operation):
        lines.append("--output result")
    return " \\\n  ".join(lines)


def _python(operation: Operation, url: str, api_key: str | None, body: Body | None) -> str:
    arguments = [json.dumps(url)]
    headers = _headers(operation, api_key)
    if headers:
        arguments.append(f"headers={_literal(headers)}")
    if body is not None and body.media_type == JSON_TYPE:
        arguments.append(f"json={_literal(body.example)}")
    elif body is not None:
        if body.files:
            opened = ", ".join(f'"{name}": open("{SAMPLE_FILE}", "rb")' for name in body.files)
            arguments.append(f"files={{{opened}}}")
        if _fields(body):
            arguments.append(f"data={_literal(_fields(body))}")
    inside = "".join(f"    {one},\n" for one in arguments)
    call = f"response = httpx.{operation.method.lower()}(\n{inside})\n"
    ending = (
        'open("result", "wb").write(response.content)'
        if _gives_a_file(operation)
        else "print(response.json())"
    )
    return f"import httpx\n\n{call}response.raise_for_status()\n{ending}"


def _literal(value: Any) -> str:
    """Write a value as Python, indented as an argument."""
    written = json.dumps(value, indent=4, ensure_ascii=False)
    words = {"true": "True", "false": "False", "null": "None"}
    # Outside of strings: a JSON text holds these words bare only as values.
    tokens = re.split(r'("(?:\\.|[^"\\])*")', written)
    python = "".join(
        one if index % 2 else re.sub(r"\b(true|false|null)\b", lambda word: words[word[0]], one)
        for index, one in enumerate(tokens)
    )
    return python.replace("\n", "\n    ")


def _javascript(operation: Operation, url: str, api_key: str | None, body: Body | None) -> str:
    before, options = "", []
    headers = _headers(operation, api_key)
    if operation.method != "GET":
        options.append(f'method: "{operation.method}"')
    if body is not None and body.media_type == JSON_TYPE:
        headers["Content-Type"] = JSON_TYPE
    if headers:
        options.append(f"headers: {_indented(headers)}")
    if body is not None and body.media_type == JSON_TYPE:
        options.append(f"body: JSON.stringify({_indented(body.example)})")
    elif body is not None and body.media_type == MULTIPART_TYPE:
        before = "const form = new FormData();\n"
        before += "".join(f'form.append("{name}", fileInput.files[0]);\n' for name in body.files)
        before += "".join(
            f"form.append({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in _fields(body).items()
        )
        options.append("body: form")
    elif body is not None:
        options.append(f"body: new URLSearchParams({_indented(_fields(body))})")
    inside = "".join(f"  {one},\n" for one in options)
    call = (
        f"const response = await fetch({json.dumps(url)}{f', {{{chr(10)}{inside}}}' if options else ''});\n"
    )
    ending = (
        "const file = await response.blob();"
        if _gives_a_file(operation)
        else "console.log(await response.json());"
    )
    return before + call + ending


def _indented(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "\n  ")


def _fields(body: Body) -> dict[str, str]:
    example = body.example if isinstance(body.example, dict) else {}
    return {name: str(value) for name, value in example.items() if name not in body.files}


def _gives_a_file(operation: Operation) -> bool:
    """Whether the good answer is to be kept rather than read: none of its shapes is described JSON."""
    good = [content for answer in operation.answers if answer.is_good for content in answer.contents]
    return bool(good) and not any(one.media_type == JSON_TYPE and one.rows for one in good)
