"""Icons, drawn into the page so that they take the colour of the text beside them."""

import re
from functools import cache
from importlib.resources import files

from markupsafe import Markup

_SYMBOL = re.compile(r'<symbol id="([a-z0-9-]+)"[^>]*>(.*?)</symbol>', re.DOTALL)


def icon(name: str, css_class: str = "icon") -> Markup:
    """Draw one Lucide icon, hidden from screen readers: the words beside it, or a label, must say the same.

    Raises: KeyError for a name that static/icons.svg does not hold.
    """
    return Markup(
        '<svg class="{}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75"'
        ' stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{}</svg>'
    ).format(css_class, _shapes()[name])


def icon_names() -> frozenset[str]:
    """Every name that `icon` accepts."""
    return frozenset(_shapes())


@cache
def _shapes() -> dict[str, Markup]:
    sprite = files("tollway.web").joinpath("static/icons.svg").read_text(encoding="utf-8")
    return {name: Markup(shapes) for name, shapes in _SYMBOL.findall(sprite)}  # noqa: S704 — our own file
