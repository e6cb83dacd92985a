"""Guides: safe HTML, anchors, code to copy, and the reader's own key in the samples."""

from pathlib import Path

import pytest

from tollway.web.markdown import GUIDE_CHARACTERS_MAX, parse_guide, read_guides

VALUES = {"api_key": "mc_test_example", "base_url": "http://localhost:6789"}


def html_of(source: str) -> str:
    return str(parse_guide("guide", f"# Title\n\n{source}").html(VALUES))


def test_front_matter_names_and_orders_guides(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("---\ntitle: First: a start\norder: 1\n---\nText", encoding="utf-8")
    (tmp_path / "a.md").write_text("# Second\n\nText", encoding="utf-8")
    guides = read_guides(tmp_path)
    assert [(guide.slug, guide.title) for guide in guides] == [("b", "First: a start"), ("a", "Second")]


def test_the_first_heading_is_the_title_and_is_not_repeated() -> None:
    guide = parse_guide("guide", "# The title\n\nText")
    assert guide.title == "The title"
    assert "<h1" not in guide.template


def test_a_guide_without_a_title_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a title"):
        parse_guide("guide", "Only text")


def test_a_guide_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        parse_guide("guide", "# T\n" + "x" * GUIDE_CHARACTERS_MAX)


def test_headings_get_anchors_that_are_unique() -> None:
    guide = parse_guide("guide", "# T\n\n## Upload `it`\n\n### More\n\n## Upload it\n")
    assert list(guide.headings) == [
        (2, "upload-it", "Upload it"),
        (3, "more", "More"),
        (2, "upload-it-2", "Upload it"),
    ]
    assert '<h2 id="upload-it">' in guide.template
    assert '<a class="anchor" href="#upload-it" aria-label="Link to Upload it">#</a>' in guide.template


def test_html_in_a_guide_is_text() -> None:
    assert "<script>" not in html_of("<script>alert(1)</script>")
    assert "javascript:" not in html_of("[x](javascript:alert(1))").replace("(javascript:alert(1))", "")


def test_code_is_drawn_by_the_code_component() -> None:
    page = html_of('```bash\ncurl {{base_url}} -H "Authorization: Bearer {{api_key}}"\n```')
    assert 'data-copy="code-0"' in page
    assert '<span class="k">curl</span> http://localhost:6789' in page
    assert "Bearer mc_test_example" in page


def test_placeholders_are_filled_in_text_code_and_links() -> None:
    page = html_of("At {{base_url}}, or [here]({{base_url}}/docs), with `{{api_key}}`.")
    assert 'At http://localhost:6789, or <a href="http://localhost:6789/docs">here</a>' in page
    assert "<code>mc_test_example</code>" in page


def test_what_fills_a_placeholder_brings_no_markup_with_it() -> None:
    guide = parse_guide("guide", "# T\n\nKey {{api_key}} and [link]({{base_url}})")
    page = guide.html({"api_key": "<b>**x**</b>", "base_url": '" onclick="x'})
    assert "&lt;b&gt;**x**&lt;/b&gt;" in page
    assert 'onclick="' not in page


def test_tables_scroll_by_themselves_and_align_by_class() -> None:
    page = html_of("| a | b |\n|---|---:|\n| 1 | 2 |\n")
    assert '<div class="table-wrap" tabindex="0" role="region"' in page
    assert '<td class="number">2</td>' in page
    assert "style=" not in page
