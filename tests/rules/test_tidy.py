"""The style that a tool can check and ruff does not."""

import re
from pathlib import Path

import pytest
from tests.rules.sources import SOURCE, texts

LINES_MAX = 500
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "handle", "process",
                   "data", "info", "misc", "shared", "models"}  # fmt: skip
# Written in two parts, so that this file keeps its own rules.
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
REGISTRIES = ("py" + "pi.org", "python" + "hosted", "npm" + "js", "crates" + ".io", "proxy.go" + "lang",
              "jsde" + "livr", "unp" + "kg", "docker" + ".io", "ghcr" + ".io")  # fmt: skip
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:work|root|home|Users)/[\w.]")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2705\u274c\u2728\ufe0f]")
# The one that was asked for, in the subject of the welcome mail (A42).
EMOJI_ALLOWED = "Your Monte Carlo API is Ready! \U0001f680"
NOQA = re.compile(r"#\s*noqa(?P<rest>.*)")
NOQA_WITH_REASON = re.compile(r": [A-Z]+[0-9]+(, [A-Z]+[0-9]+)* {1,2}(- |— |# )?\w.{5,}")


def lines_that(pattern: re.Pattern[str], *, of: str = "") -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in texts().items()
        if path.startswith(of)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_left_to_be_done_later() -> None:
    assert lines_that(UNFINISHED) == []


def test_no_source_file_is_longer_than_a_reader_can_hold() -> None:
    long = {
        path: text.count("\n")
        for path, text in texts().items()
        if path.startswith("src/") and path.endswith(".py")
    }
    assert {path: count for path, count in long.items() if count > LINES_MAX} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = [
        path for path in SOURCE.rglob("*") if path.suffix in {".py", ""} and path.stem in FORBIDDEN_NAMES
    ]
    assert [str(path.relative_to(SOURCE)) for path in named] == []


def test_every_exception_from_the_linter_has_its_reason() -> None:
    bare = [
        f"{path}:{number}: {line.strip()}"
        for path, text in texts().items()
        if path.endswith(".py")
        for number, line in enumerate(text.splitlines(), 1)
        if (found := NOQA.search(line)) and not NOQA_WITH_REASON.match(found["rest"])
        and path != str(Path("tests/rules/test_tidy.py"))
    ]  # fmt: skip
    assert bare == []


@pytest.mark.parametrize("host", REGISTRIES)
def test_no_package_registry_is_named(host: str) -> None:
    assert lines_that(re.compile(re.escape(host))) == []


def test_no_path_of_somebodys_machine_is_named() -> None:
    assert lines_that(MACHINE_PATHS) == []


def test_there_is_no_emoji_but_the_one_that_was_asked_for() -> None:
    assert [line for line in lines_that(EMOJI) if EMOJI_ALLOWED not in line] == []


def test_every_text_ends_with_one_line_break_and_has_no_spaces_at_line_ends() -> None:
    for path, text in texts().items():
        if path.endswith((".py", ".md", ".toml", ".sql")) and text:
            assert text.endswith("\n"), path
            assert not text.endswith("\n\n"), path
            assert not re.search(r"[ \t]+\n", text), path
