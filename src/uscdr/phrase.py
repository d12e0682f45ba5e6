"""The phrase that a person types to confirm a change: short, and never the same for two different losses."""

from __future__ import annotations

import re

UNKNOWN = "…"
"""In a phrase, the placeholder of a value that is not known yet."""
AT_LEAST = "at least"
"""In a phrase, the words before a number that may become greater."""
_ANYTHING = rf"(?:{AT_LEAST} )?[^ ,]+(?: rows?)?"
"""A number or a word, and what is counted."""
_SEPARATOR = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
LONGEST = 40
"""Characters. A tired person types it without a mistake; the other facts stand above it."""
_CUT, _END = "..", 4
"""Between the parts of a name that is cut in the middle, and how many characters of its end are kept."""


def short_phrase(name: str, doing: str) -> str:
    """`name doing` in at most 40 characters: a longer name is cut in its middle, which shows as two dots.

    The name is that of an application, cloud or host; what is done holds a number that changes from day to day.
    """
    return f"{cut_name(name, LONGEST - len(doing) - 1)} {doing}"


def cut_name(name: str, room: int) -> str:
    """A name in at most `room` characters, from six on: its beginning, two dots and its end."""
    return name if len(name) <= room else f"{name[: max(room - _END - len(_CUT), 0)]}{_CUT}{name[-_END:]}"


def difference(typed: str, phrase: str) -> str:
    """Where a typed phrase first differs from the right one, as `word 4 must be “22”`; empty if only blanks differ.

    Never repeats what was typed: that may be a password.
    """
    given, right = _normal(typed).split(), phrase.split()
    for number, word in enumerate(right, start=1):
        if given[number - 1 : number] != [_normal(word)]:
            return f"word {number} must be “{word}”"
    return f"“{right[-1]}” must be the last word" if len(given) > len(right) else ""


def could_be(given: str, phrase: str) -> bool:
    """Whether `given` agrees with everything that is known of `phrase`."""
    pattern = re.escape(_normal(phrase)).replace(re.escape(UNKNOWN), _ANYTHING)
    return re.fullmatch(pattern, _normal(given)) is not None


def _normal(phrase: str) -> str:
    """The phrase with single spaces, and numbers without separators: a screen shows `1,237`, and it may be typed so."""
    return " ".join(_SEPARATOR.sub("", word) for word in phrase.split())
