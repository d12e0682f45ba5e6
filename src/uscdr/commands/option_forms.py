"""The forms of options of recoveries and copies, checked before anything is called."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from uscdr.errors import BadInput
from uscdr.settings import user_path
from uscdr.store import encryption, location

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "release": (re.compile(r"v?[1-9][0-9]{0,8}"), "Pass a release such as v12: uscdr recover app --release v12"),
    "backup": (
        re.compile(r"[a-z][0-9]{1,9}"),
        "Pass one such as b001, or none for the newest. To list them: uscdr backup list",
    ),
    "cloud": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"), "A cloud's name has only letters, digits, - and _."),
}


def check_form(option: str, text: str | None) -> None:
    """Raises BadInput for a value that the option cannot take."""
    form, words = FORMS[option]
    if text is not None and not form.fullmatch(text):
        raise BadInput(f"“{text}” is not a valid --{option}.", next_action=words)


def lasting(to: str | None, readers: tuple[str, ...] = ()) -> tuple[str | None, tuple[str, ...]]:
    """The store of copies as an absolute path or URL, because cron and a resumed run work in other directories.

    Raises BadInput for credentials and private keys, which must not get into a journal.
    """
    if readers:
        encryption.Recipient.read(readers)
    if to is None:
        return None, readers
    location.open_store(to, os.environ)
    return (to if "://" in to else str(user_path(to.strip()).absolute())), readers
