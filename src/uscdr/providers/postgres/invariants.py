"""Invariants in SQL: each runs in a transaction of its own (see `connection`)."""

from __future__ import annotations

import time
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING

from uscdr.models.postgres import InvariantResult
from uscdr.providers.postgres.errors import words
from uscdr.providers.postgres.reading import NO_RIGHT

if TYPE_CHECKING:
    from uscdr.models.data_settings import Invariant
    from uscdr.providers.postgres.connection import Connection

_WORDS = {True: frozenset({"true", "t", "1"}), False: frozenset({"false", "f", "0"})}


class _NotOneValue(Exception):
    """The query did not return exactly one value; the text says what it returned instead."""


class _Watch:
    """Measures the seconds spent inside the block."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began


def timed(connection: Connection, invariant: Invariant) -> tuple[InvariantResult, float]:
    """Run the query and compare; with the seconds from the query to its last row.

    A query that fails gives `holds=None` and words for its SQLSTATE. A lost connection is raised: then the database
    failed, not the invariant.
    """
    watch = _Watch()
    return _judged(connection, invariant, watch), watch.seconds


def _judged(connection: Connection, invariant: Invariant, watch: _Watch) -> InvariantResult:
    import psycopg

    expected = _expectation(invariant)
    try:
        value = _value(connection, invariant.sql, watch)
    except _NotOneValue as problem:
        return InvariantResult(name=invariant.name, holds=None, seen=str(problem), expected=expected)
    except psycopg.Error as error:
        if connection.closed:
            raise
        seen = f"query failed: {words(error)}" + (f" ({error.sqlstate})" if error.sqlstate else "")
        return InvariantResult(
            name=invariant.name, holds=None, seen=seen, expected=expected, forbidden=error.sqlstate == NO_RIGHT
        )
    seen = _shown(value, invariant.equals)
    return InvariantResult(name=invariant.name, holds=_holds(value, invariant), seen=seen, expected=expected)


def _value(connection: Connection, query: str, watch: _Watch) -> object:
    """The one value of `query`. Raises `_NotOneValue` and psycopg's errors."""
    # A binary result uses the extended protocol, which refuses a second statement.
    with connection.cursor(binary=True) as cursor, watch:
        cursor.execute(query.encode())
        width = len(cursor.description or ())
        rows = cursor.fetchmany(2) if width else []
    if width != 1 or len(rows) != 1:
        many = "more than one row" if len(rows) > 1 else "no row"
        raise _NotOneValue(f"the query returned {many}" if width == 1 else f"it returned {width} columns")
    return rows[0][0]


def _holds(value: object, invariant: Invariant) -> bool:
    """Whether `value` is within every bound. NULL and text satisfy no numeric bound."""
    if invariant.equals is not None and not _equals(value, invariant.equals):
        return False
    if invariant.minimum is None and invariant.maximum is None:
        return True
    number = _number(value)
    if number is None:
        return False
    low, high = invariant.minimum, invariant.maximum
    return (low is None or number >= low) and (high is None or number <= high)


def _shown(value: object, equals: str | None) -> str:
    """`value` for a report: a number, a boolean, the expected word, or only its type and length.

    Any other text may be patient data: it is never shown, even if short.
    """
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float() | Decimal():
            return format(value, "f") if isinstance(value, Decimal) else str(value)
        case str():
            return value if value == equals else f"another text ({len(value)} characters)"
        case bytes():
            return f"bytes ({len(value)})"
        case _:
            return f"a {type(value).__name__}"


def _expectation(invariant: Invariant) -> str:
    """The bounds in words, such as "= 0" or ">= 1 and <= 20"."""
    bounds = (("=", invariant.equals), (">=", invariant.minimum), ("<=", invariant.maximum))
    return " and ".join(
        f"{sign} {bound:g}" if isinstance(bound, float) else f"{sign} {bound}"
        for sign, bound in bounds
        if bound is not None
    )


def _equals(value: object, wanted: str) -> bool:
    if value is None:
        return wanted.lower() == "null"
    if isinstance(value, bool):
        return wanted.lower() in _WORDS[value]
    number = _number(value)
    if number is None:
        return str(value) == wanted
    try:
        return number == float(wanted)
    except ValueError:
        return False


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return None
    return float(value)
