"""Turns the guides in docs/guides into pages: Markdown in, safe HTML out, with anchors and code to copy.

A guide may start with front matter, two lines between rules:

    ---
    title: Integrate
    order: 10
    ---

`{{api_key}}` and `{{base_url}}` may stand anywhere in it, code included. They are filled after rendering, each value
escaped, so that neither can bring markup or Markdown of its own into the page.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup, escape

from tollway.web.rendering import environment

GUIDES_KEPT_MAX = 512
GUIDE_CHARACTERS_MAX = 500_000
PLACEHOLDERS = ("api_key", "base_url")

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_NOT_IN_ANCHORS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Guide:
    """One guide, rendered once; `html` fills its placeholders for a reader.

    `headings` lists level (2 or 3), anchor and text, in order. Guides are read by rising `order`.
    """

    slug: str
    title: str
    order: int
    template: Markup
    headings: Sequence[tuple[int, str, str]]

    def html(self, values: Mapping[str, str]) -> Markup:
        """The guide for one reader; `values` has every name of PLACEHOLDERS."""
        text = str(self.template)
        for name in PLACEHOLDERS:
            # In the address of a link the braces arrive percent-encoded.
            for written in ("{{" + name + "}}", "%7B%7B" + name + "%7D%7D"):
                text = text.replace(written, str(escape(values[name])))
        return Markup(text)  # noqa: S704 — rendered with HTML disabled, and the values are escaped above


def read_guides(folder: Path) -> list[Guide]:
    """Read every `*.md` of a folder, in order; its slug is the file's name as `slug_of` writes it."""
    guides = [parse_guide(slug_of(path), path.read_text(encoding="utf-8")) for path in folder.glob("*.md")]
    return sorted(guides, key=lambda guide: (guide.order, guide.slug))


def slug_of(path: Path) -> str:
    """Write a guide's name as it stands in addresses: `GETTING_STARTED.md` is `getting-started`."""
    return path.stem.lower().replace("_", "-")


@lru_cache(maxsize=GUIDES_KEPT_MAX)
def parse_guide(slug: str, source: str) -> Guide:
    """Render one guide; the same text is rendered once in a process.

    Raises: ValueError when it is too long, or has neither a title in front nor a first heading.
    """
    if len(source) > GUIDE_CHARACTERS_MAX:
        raise ValueError(
            f"The guide {slug} has {len(source)} characters; at most {GUIDE_CHARACTERS_MAX} are rendered."
        )
    front, body = _split_front_matter(source.replace("\r\n", "\n"))
    markdown = _markdown()
    tokens = markdown.parse(body)
    first_heading = _take_first_heading(tokens)
    title = front.get("title") or first_heading
    if not title:
        raise ValueError(
            f"The guide {slug} needs a title: a line `title: ...` in front, or a first heading `# ...`."
        )
    headings = _anchor_headings(tokens)
    _align_by_class(tokens)
    html = Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704 — HTML is disabled
    return Guide(slug, title, int(front.get("order", "1000")), html, headings)


def render_text(source: str) -> Markup:
    """Render a few paragraphs, such as the description of an endpoint; HTML in it is shown, never obeyed."""
    return Markup(_markdown().render(source[:GUIDE_CHARACTERS_MAX]))  # noqa: S704 — HTML is disabled


def render_line(source: str) -> Markup:
    """Render a sentence without a paragraph around it, such as the description of a member."""
    return Markup(_markdown().renderInline(source[:GUIDE_CHARACTERS_MAX]))  # noqa: S704 — HTML is disabled


def _split_front_matter(source: str) -> tuple[dict[str, str], str]:
    match = _FRONT_MATTER.match(source)
    if match is None:
        return {}, source
    pairs = (line.partition(":") for line in match.group(1).splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}, source[match.end() :]


@cache
def _markdown() -> MarkdownIt:
    """One for all: to make it takes longer than most of what it renders, and it keeps nothing of that."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    markdown.add_render_rule("fence", _render_code)
    markdown.add_render_rule("code_block", _render_code)
    markdown.add_render_rule("table_open", _render_table_open)
    markdown.add_render_rule("table_close", _render_table_close)
    return markdown


def _take_first_heading(tokens: list[Token]) -> str:
    """Remove a leading `# heading` and return its text: the page writes the title itself."""
    if len(tokens) < 3 or tokens[0].type != "heading_open" or tokens[0].tag != "h1":
        return ""
    text = tokens[1].content
    del tokens[:3]
    return text


def _anchor_headings(tokens: Sequence[Token]) -> list[tuple[int, str, str]]:
    """Give headings of level 2 and 3 an anchor and a link to it; the same words twice get a number."""
    headings: list[tuple[int, str, str]] = []
    taken: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open" or opening.tag not in {"h2", "h3"}:
            continue
        text = "".join(
            child.content for child in inline.children or [] if child.type in {"text", "code_inline"}
        )
        anchor = _NOT_IN_ANCHORS.sub("-", text.lower()).strip("-") or "section"
        taken[anchor] = taken.get(anchor, 0) + 1
        if taken[anchor] > 1:
            anchor = f"{anchor}-{taken[anchor]}"
        opening.attrSet("id", anchor)
        inline.children = [*(inline.children or []), *_anchor_link(anchor, text)]
        headings.append((int(opening.tag[1]), anchor, text))
    return headings


def _anchor_link(anchor: str, text: str) -> list[Token]:
    attributes: dict[str, str | int | float] = {
        "class": "anchor",
        "href": f"#{anchor}",
        "aria-label": f"Link to {text}",
    }
    sign = Token("text", "", 0, content="#")
    return [Token("link_open", "a", 1, attrs=attributes), sign, Token("link_close", "a", -1)]


def _align_by_class(tokens: Sequence[Token]) -> None:
    """Columns aligned to the right carry a class: a style attribute would be refused by our own policy."""
    for token in tokens:
        if token.type in {"th_open", "td_open"} and token.attrs.pop("style", None) == "text-align:right":
            token.attrSet("class", "number")


def _render_code(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: object
) -> str:
    token = tokens[index]
    language = token.info.split()[0] if token.info.strip() else "text"
    code_block = environment().get_template("components/code.html").module.block  # type: ignore[attr-defined]
    return str(
        code_block(
            f"code-{index}", token.content.rstrip("\n"), language, _LANGUAGE_NAMES.get(language, language)
        )
    )


_LANGUAGE_NAMES = {"bash": "Shell", "python": "Python", "json": "JSON", "http": "HTTP", "text": "Text"}


def _render_table_open(
    _renderer: RendererHTML, _tokens: Sequence[Token], index: int, _options: OptionsDict, _env: object
) -> str:
    return f'<div class="table-wrap" tabindex="0" role="region" aria-label="Table {index}"><table class="table">\n'


def _render_table_close(
    _renderer: RendererHTML, _tokens: Sequence[Token], _index: int, _options: OptionsDict, _env: object
) -> str:
    return "</table></div>\n"
