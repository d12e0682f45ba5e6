"""Lists: the queues themselves."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from uscdr.sandbox.broker.protocol import NO_ARRAY, OK, Failure, Reply
from uscdr.sandbox.broker.session import NO_NUMBER, Session, Table, whole
from uscdr.sandbox.broker.store import Refused

_TAIL = {b"LEFT": False, b"RIGHT": True}


def _push(session: Session, given: list[bytes], *, head: bool, only_there: bool = False) -> Reply:
    if only_there and session.store.get(session.database, given[0]) is None:
        return 0
    return session.store.push(session.database, given[0], given[1:], head=head)


def _pop(session: Session, given: list[bytes], *, tail: bool) -> Reply:
    """One value, or with a count a list of them."""
    most = int(given[1]) if given[1:] and given[1].isdigit() else 1
    if given[1:] and not given[1].isdigit():
        return Failure(NO_NUMBER)
    taken = session.store.pop(session.database, given[0], most, tail=tail)
    if given[1:]:
        return list(taken) if taken else NO_ARRAY
    return taken[0] if taken else None


async def _blocking_pop(session: Session, given: list[bytes], *, tail: bool) -> Reply:
    """From the first list that has something; waits for `timeout` seconds, 0: for ever."""

    def take() -> Reply:
        for key in given[:-1]:
            if taken := session.store.pop(session.database, key, tail=tail):
                return [key, taken[0]]
        return None

    found = await _waited(session, given[-1], take)
    return NO_ARRAY if found is None else found


async def _waited(session: Session, seconds: bytes, take: Callable[[], Reply]) -> Reply:
    try:
        limit = float(seconds) or None
    except ValueError:
        return Failure("ERR timeout is not a float or out of range")
    try:
        async with asyncio.timeout(limit):
            while (found := take()) is None:
                await session.store.pushed()
            return found
    except TimeoutError:
        return None


def _move(session: Session, source: bytes, target: bytes, sides: tuple[bytes, bytes]) -> Reply:
    """From one end of a list to one of another."""
    taken = session.store.pop(session.database, source, tail=_side(sides[0]))
    if not taken:
        return None
    session.store.push(session.database, target, taken, head=not _side(sides[1]))
    return taken[0]


def _side(word: bytes) -> bool:
    if word.upper() not in _TAIL:
        raise Refused("ERR syntax error")
    return _TAIL[word.upper()]


def _held(session: Session, key: bytes) -> deque[bytes]:
    return session.store.held(session.database, key, deque)


def _range(session: Session, given: list[bytes]) -> Reply:
    """From and to, both included, negative from the end."""
    values = session.store.values(session.database, given[0])
    first, last = _span(given[1:3], len(values))
    return list(values[first : last + 1])


def _trim(session: Session, given: list[bytes]) -> Reply:
    held = _held(session, given[0])
    first, last = _span(given[1:3], len(held))
    kept = list(held)[first : last + 1]
    held.clear()
    held.extend(kept)
    return OK


def _span(words: list[bytes], length: int) -> tuple[int, int]:
    first, last = (whole(one) + (length if whole(one) < 0 else 0) for one in words)
    return max(first, 0), max(last, -1)


def _index(session: Session, given: list[bytes]) -> Reply:
    values, place = session.store.values(session.database, given[0]), whole(given[1])
    return values[place] if -len(values) <= place < len(values) else None


def _remove(session: Session, given: list[bytes]) -> Reply:
    """`key count value`: the first so many, from the tail with a negative count, all with 0."""
    held, count = _held(session, given[0]), whole(given[1])
    values = list(held) if count >= 0 else list(reversed(held))
    places = [place for place, value in enumerate(values) if value == given[2]][: abs(count) or None]
    kept = [value for place, value in enumerate(values) if place not in places]
    held.clear()
    held.extend(kept if count >= 0 else reversed(kept))
    return len(places)


def _blocking_move(session: Session, given: list[bytes], sides: tuple[bytes, bytes]) -> Awaitable[Reply]:
    return _waited(session, given[-1], lambda: _move(session, given[0], given[1], sides))


COMMANDS: Table = {
    "RPUSH": (2, lambda session, given: _push(session, given, head=False)),
    "LPUSH": (2, lambda session, given: _push(session, given, head=True)),
    "RPUSHX": (2, lambda session, given: _push(session, given, head=False, only_there=True)),
    "LPUSHX": (2, lambda session, given: _push(session, given, head=True, only_there=True)),
    "LPOP": (1, lambda session, given: _pop(session, given, tail=False)),
    "RPOP": (1, lambda session, given: _pop(session, given, tail=True)),
    "BLPOP": (2, lambda session, given: _blocking_pop(session, given, tail=False)),
    "BRPOP": (2, lambda session, given: _blocking_pop(session, given, tail=True)),
    "RPOPLPUSH": (2, lambda session, given: _move(session, given[0], given[1], (b"RIGHT", b"LEFT"))),
    "LMOVE": (4, lambda session, given: _move(session, given[0], given[1], (given[2], given[3]))),
    "BRPOPLPUSH": (3, lambda session, given: _blocking_move(session, given, (b"RIGHT", b"LEFT"))),
    "BLMOVE": (5, lambda session, given: _blocking_move(session, given, (given[2], given[3]))),
    "LLEN": (1, lambda session, given: len(session.store.values(session.database, given[0]))),
    "LRANGE": (3, _range),
    "LTRIM": (3, _trim),
    "LINDEX": (2, _index),
    "LREM": (3, _remove),
}
