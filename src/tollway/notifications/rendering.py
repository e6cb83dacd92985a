"""Turns a mail's template and its values into text and HTML.

Each mail is a pair of templates, `name.txt` and `name.html`, over one layout of nested tables with styles
in place: mail readers of every age show that alike. A missing value is an error at once, never a gap.
"""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tollway.kit.mail import Mail


def compose(template: str, to_address: str, subject: str, values: dict[str, Any]) -> Mail:
    """Write one mail.

    Raises: jinja2.UndefinedError where a template asks for a value that is not there.
    """
    return Mail(
        to_address=to_address,
        subject=subject,
        text_body=_environment(as_html=False).get_template(f"{template}.txt").render(values),
        html_body=_environment(as_html=True)
        .get_template(f"{template}.html")
        .render(subject=subject, **values),
        template=template,
    )


@cache
def _environment(*, as_html: bool) -> Environment:
    return Environment(
        loader=PackageLoader("tollway.notifications"),
        autoescape=as_html,  # noqa: S701 - plain text has nothing to escape
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
