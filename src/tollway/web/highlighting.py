"""Colours code for reading: shell, Python, JavaScript, JSON and HTTP, the languages of our own samples."""

import re

from markupsafe import Markup

# Each language is one pattern of named groups; k keyword, s string, c comment, n number. First match wins.
_STRING = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
_NUMBER = r"(?<![\w.])-?\d[\d_]*(?:\.\d+)?(?:e-?\d+)?(?![\w.])"
_PATTERNS = {
    "bash": re.compile(
        rf"(?P<c>(?<!\S)\#[^\n]*)|(?P<s>{_STRING})|(?P<k>^\s*(?:curl|tollway|python|pip|export|make|jq)\b)",
        re.MULTILINE,
    ),
    "python": re.compile(
        rf"(?P<c>\#[^\n]*)|(?P<s>[rbf]?(?:{_STRING}))"
        r"|(?P<k>\b(?:from|import|as|with|for|in|if|elif|else|while|not|and|or|def|return|raise|try|except|break|"
        r"True|False|None|print)\b)"
        rf"|(?P<n>{_NUMBER})"
    ),
    "javascript": re.compile(
        rf"(?P<c>//[^\n]*)|(?P<s>{_STRING})|(?P<k>\b(?:const|let|await|new|if|else|true|false|null)\b)|(?P<n>{_NUMBER})"
    ),
    "json": re.compile(
        rf"(?P<k>{_STRING})(?=\s*:)|(?P<s>{_STRING})|(?P<n>{_NUMBER}|\b(?:true|false|null)\b)"
    ),
    "http": re.compile(r"(?P<k>^(?:GET|POST|PUT|DELETE|HTTP/[\d.]+)\b|^[A-Za-z-]+(?=:))", re.MULTILINE),
}
_SAME_AS = {"curl": "bash", "sh": "bash", "shell": "bash", "console": "bash", "py": "python"}


def highlight(code: str, language: str) -> Markup:
    """Escape code and wrap what carries meaning in spans; a language that is not known stays plain."""
    pattern = _PATTERNS.get(_SAME_AS.get(language.lower(), language.lower()))
    if pattern is None:
        return Markup("{}").format(code)
    coloured = []
    position = 0
    for match in pattern.finditer(code):
        coloured.append(Markup("{}").format(code[position : match.start()]))
        coloured.append(Markup('<span class="{}">{}</span>').format(match.lastgroup, match.group()))
        position = match.end()
    coloured.append(Markup("{}").format(code[position:]))
    return Markup().join(coloured)
