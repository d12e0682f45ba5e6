"""The source of this installation, so that missing extras are installed only from there.

uscdr is not on a public index: somebody else's package of that name would be installed and run.
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
    """The command that installs an extra for the running interpreter.

    From its checkout or wheel, or else the libraries by name.
    """
    place = origin()
    if place is None:
        wanted = " ".join(map(shlex.quote, _libraries(extra)))
        return f"{shlex.quote(sys.executable)} -m pip install {wanted}"
    editable = "-e " if place.is_dir() else ""
    return f"{shlex.quote(sys.executable)} -m pip install {editable}{shlex.quote(f'{place}[{extra}]')}"


def origin() -> Path | None:
    """The checkout or wheel file of this installation (PEP 610), if it still exists."""
    try:
        text = distribution(NAME).read_text("direct_url.json")
        address = urlsplit(str(json.loads(text or "{}").get("url", "")))
    except (PackageNotFoundError, ValueError, AttributeError):
        return None
    place = Path(unquote(address.path))
    return place if address.scheme == "file" and place.is_absolute() and place.exists() else None


def _libraries(extra: str) -> tuple[str, ...]:
    """The requirements of an extra."""
    try:
        required = distribution(NAME).requires or []
    except PackageNotFoundError:
        return ()
    parts = (one.partition(";") for one in required)
    return tuple(name.strip() for name, _, marker in parts if f"extra == '{extra}'" in marker.replace('"', "'"))
