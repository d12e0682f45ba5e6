"""Where this very installation came from, so that what is missing is installed from there and from nowhere else.

No public index has a package of ours: whoever registers the name there would be installed, and run.
"""

from __future__ import annotations

import json
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

NAME = "uscdr"


def install(extra: str) -> str:
    """The command that installs an extra for the very interpreter that runs this.

    From the checkout or wheel that this came from; where that is gone, the libraries by their own names.
    """
    place = origin()
    if place is None:
        wanted = " ".join(map(shlex.quote, _libraries(extra)))
        return f"{shlex.quote(sys.executable)} -m pip install {wanted}"
    editable = "-e " if place.is_dir() else ""
    return f"{shlex.quote(sys.executable)} -m pip install {editable}{shlex.quote(f'{place}[{extra}]')}"


def origin() -> Path | None:
    """The checkout or the wheel file that this was installed from (PEP 610), if it is still there."""
    try:
        text = distribution(NAME).read_text("direct_url.json")
        address = urlsplit(str(json.loads(text or "{}").get("url", "")))
    except (PackageNotFoundError, ValueError, AttributeError):
        return None
    place = Path(unquote(address.path))
    return place if address.scheme == "file" and place.is_absolute() and place.exists() else None


def _libraries(extra: str) -> tuple[str, ...]:
    """What an extra brings, as requirements of its own."""
    try:
        required = distribution(NAME).requires or []
    except PackageNotFoundError:
        return ()
    parts = (one.partition(";") for one in required)
    return tuple(name.strip() for name, _, marker in parts if f"extra == '{extra}'" in marker.replace('"', "'"))
