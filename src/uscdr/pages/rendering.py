"""HTML pages of templates: every value is escaped, and one that a template lacks is an error, not a gap."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from uscdr.words import moment, plural, size

if TYPE_CHECKING:
    from jinja2 import Environment


def rendered(template: str, **values: object) -> str:
    """The whole document of `templates/TEMPLATE.html.j2`, which extends `page.html.j2`.

    Raises:
        jinja2.UndefinedError: the template names a value that it was not given.
    """
    return _templates().get_template(f"{template}.html.j2").render(**values)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # 0.3 s, which only a page is worth

    made = Environment(
        loader=PackageLoader("uscdr.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"moment": moment, "plural": plural, "size": size}
    return made
