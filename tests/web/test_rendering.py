"""Templates, filters and the frame around pages."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import jinja2
import pytest

from tollway.web import rendering
from tollway.web.highlighting import highlight
from tollway.web.icons import icon, icon_names
from tollway.web.rendering import environment, render

TEMPLATES = sorted(environment().list_templates())


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_compiles_and_says_what_it_needs(name: str) -> None:
    environment().get_template(name)
    assert environment().loader is not None
    source, _, _ = environment().loader.get_source(environment(), name)
    assert source.startswith("{#"), "the first comment names the context"


def test_a_missing_variable_is_an_error_not_an_empty_place() -> None:
    with pytest.raises(jinja2.UndefinedError, match="email"):
        render("public/verify.html")


def test_what_people_typed_is_escaped() -> None:
    page = render(
        "public/signup.html",
        use_cases=["Other"],
        values={"company": '"><script>alert(1)</script>'},
        errors={},
        free_trial_days=14,
        signup_url="/signup",
    )
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_an_error_stands_beside_its_field_and_the_value_is_kept() -> None:
    page = render(
        "public/signup.html",
        use_cases=["Other"],
        values={"email": "ines@"},
        errors={"email": "“ines@” is not an address."},
        free_trial_days=14,
        signup_url="/signup",
    )
    assert 'value="ines@" required aria-invalid="true" aria-describedby="error-email"' in page
    assert '<p class="field-error" id="error-email">' in page
    assert '<a href="#field-email">“ines@” is not an address.</a>' in page


@pytest.mark.promise("A26", "A27")
def test_the_sign_up_form_asks_three_things_and_offers_four_uses() -> None:
    uses = ["Portfolio Risk Analysis", "Stress Testing", "Financial Modeling", "Other"]
    page = render(
        "public/signup.html",
        use_cases=uses,
        values={},
        errors={},
        free_trial_days=14,
        signup_url="/signup",
    )
    form = page[page.index('action="/signup"') : page.index("</form>")]
    assert [name for name in ("email", "company", "use_case") if f'name="{name}"' in form] == [
        "email",
        "company",
        "use_case",
    ]
    assert form.count(" name=") == 3
    assert all(f"<option>{use}</option>" in form for use in uses)
    assert ">Get Free API Access</button>" in form


def test_the_theme_of_the_cookie_is_in_the_first_byte_of_the_page() -> None:
    context = {"email": "ines@acme.example", "expires_minutes": 15, "outbox_url": "", "errors": {}}
    assert '<html lang="en" data-theme="dark">' in render("public/check_mail.html", theme="dark", **context)
    assert '<html lang="en">' in render("public/check_mail.html", **context)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ 1234567 | number }}", "1,234,567"),
        ("{{ -1234.5 | number(1) }}", "\N{MINUS SIGN}1,234.5"),
        ("{{ 1234567 | compact }}", "1.23M"),
        ("{{ -467000 | compact('USD') }}", "\N{MINUS SIGN}$467k"),
        ("{{ 0.1234 | percent }}", "12.3%"),
        ("{{ 640 | filesize }} {{ 12698 | filesize }} {{ 10000000 | filesize }}", "640 B 12.7 kB 10 MB"),
        ("{{ 1 | plural('input') }}, {{ 3 | plural('input') }}", "1 input, 3 inputs"),
        ("{{ 2 | plural('entry', 'entries') }}", "2 entries"),
        (
            "{{ 'Acme Analytics' | initials }} {{ 'ines@acme.example' | initials }} {{ '' | initials }}",
            "AA IA ?",
        ),
    ],
)
def test_filters_write_numbers_and_words_as_people_read_them(template: str, expected: str) -> None:
    assert environment().from_string(template).render() == expected


def test_money_is_written_in_its_own_currency() -> None:
    assert rendering.money(Decimal("99.00")) == "$99.00"
    assert rendering.money(Decimal("-0.05")) == "\N{MINUS SIGN}$0.05"
    assert rendering.money(500, "JPY") == "¥500"


def test_a_moment_is_shown_in_utc_for_people_and_machines() -> None:
    in_paris = datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert rendering.when(in_paris) == '<time datetime="2026-11-30T23:30:00Z">30 Nov 2026, 23:30 UTC</time>'
    assert rendering.day(date(2026, 12, 1)) == '<time datetime="2026-12-01">1 Dec 2026</time>'


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(AssertionError):
        rendering.when(datetime(2026, 12, 1, tzinfo=UTC).replace(tzinfo=None))


def test_the_address_of_a_static_file_changes_with_its_content() -> None:
    assert rendering.asset("app.css").startswith("/static/app.css?v=")
    assert rendering.asset("app.css") != rendering.asset("app.js")
    with pytest.raises(FileNotFoundError):
        rendering.asset("missing.css")


def test_an_icon_is_hidden_from_screen_readers_and_an_unknown_one_is_an_error() -> None:
    assert 'aria-hidden="true"' in icon("check")
    assert "check" in icon_names()
    with pytest.raises(KeyError):
        icon("no-such-icon")


@pytest.mark.parametrize(
    ("code", "language", "expected"),
    [
        ("curl -H 'a'", "bash", '<span class="k">curl</span> -H <span class="s">&#39;a&#39;</span>'),
        ('{"a": 1.5}', "json", '{<span class="k">&#34;a&#34;</span>: <span class="n">1.5</span>}'),
        ("x = 1  # <b>", "python", 'x = <span class="n">1</span>  <span class="c"># &lt;b&gt;</span>'),
        ("<i>plain</i>", "cobol", "&lt;i&gt;plain&lt;/i&gt;"),
    ],
)
def test_code_is_escaped_and_coloured(code: str, language: str, expected: str) -> None:
    assert highlight(code, language) == expected
