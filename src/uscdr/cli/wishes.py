"""What is asked for on the command line of `recover`, refused before anything is called when it cannot be meant."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from uscdr.errors import BadInput
from uscdr.providers.source.refs import check
from uscdr.scenarios.deps import Request
from uscdr.settings import user_path
from uscdr.vault import location, seal

FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "release": (re.compile(r"v?[1-9][0-9]{0,8}"), "a release is written v12"),
    "backup": (re.compile(r"[a-z][0-9]{1,9}"), "a backup is written b001; uscdr backup list shows them"),
    "cloud": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"), "the name of a cloud has letters, digits, - and _"),
}


def check_wishes(request: Request) -> None:
    """Raises BadInput for a release, backup, cloud or ref that can be none."""
    for option in FORMS:
        check_form(option, getattr(request, option))
    if request.ref is not None:
        check(request.ref)


def check_form(option: str, text: str | None) -> None:
    """Raises BadInput for a text that cannot be what the option takes."""
    form, words = FORMS[option]
    if text is not None and not form.fullmatch(text):
        raise BadInput(
            f"--{option} “{text}” cannot be one.", why=words, next_action=f"Correct --{option}; nothing was called."
        )


def lasting(to: str | None, readers: tuple[str, ...] = ()) -> tuple[str | None, tuple[str, ...]]:
    """The place of copies, anchored: cron and a resumed run work elsewhere.

    Raises BadInput for credentials and private keys, which must not get into a journal.
    """
    if readers:
        seal.recipients(readers)
    if to is None:
        return None, readers
    location.open_store(to, os.environ)
    return (to if "://" in to else str(user_path(to.strip()).absolute())), readers
