"""Texts and counters: what results, locks and caches are kept in."""

from __future__ import annotations

import time

from uscdr.sandbox.broker.protocol import OK, Failure, Reply
from uscdr.sandbox.broker.session import NO_NUMBER, Session, Table, pairs, whole
from uscdr.sandbox.broker.store import Refused

_SYNTAX = "ERR syntax error"
_ENDS = {b"EX": 1.0, b"PX": 1000.0}
_ENDS_AT = {b"EXAT": 1.0, b"PXAT": 1000.0}


def _get(session: Session, given: list[bytes]) -> Reply:
    return session.store.text(session.database, given[0])


def _set(session: Session, given: list[bytes]) -> Reply:
    """`key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`."""
    key, value, *words = given
    flags, seconds = _wishes(words)
    before = session.store.text(session.database, key) if b"GET" in flags else None
    there = session.store.get(session.database, key) is not None
    if (b"NX" in flags and there) or (b"XX" in flags and not there):
        return before
    session.store.put(session.database, key, value, keep_end=b"KEEPTTL" in flags)
    if seconds is not None:
        session.store.end(session.database, key, seconds)
    return before if b"GET" in flags else OK


def _wishes(words: list[bytes]) -> tuple[set[bytes], float | None]:
    """The flags, and for how many seconds the key is kept. Raises Refused."""
    flags: set[bytes] = set()
    seconds: float | None = None
    left = [word.upper() for word in words]
    while left:
        word = left.pop(0)
        if word in (b"NX", b"XX", b"GET", b"KEEPTTL"):
            flags.add(word)
        elif left and word in _ENDS:
            seconds = _positive(left.pop(0)) / _ENDS[word]
        elif left and word in _ENDS_AT:
            seconds = _positive(left.pop(0)) / _ENDS_AT[word] - time.time()
        else:
            raise Refused(_SYNTAX)
    if {b"NX", b"XX"} <= flags:
        raise Refused(_SYNTAX)
    return flags, seconds


def _positive(text: bytes) -> int:
    found = whole(text)
    if found <= 0:
        raise Refused("ERR invalid expire time in 'set' command")
    return found


def _set_for(session: Session, given: list[bytes], unit: bytes) -> Reply:
    return _set(session, [given[0], given[2], unit, given[1]])


def _set_new(session: Session, given: list[bytes]) -> Reply:
    return int(_set(session, [*given[:2], b"NX"]) is OK)


def _get_deleted(session: Session, given: list[bytes]) -> Reply:
    found = _get(session, given)
    session.store.remove(session.database, given[0])
    return found


def _get_kept(session: Session, given: list[bytes]) -> Reply:
    """`key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]`."""
    found, (key, *words) = _get(session, given), given
    if words and words[0].upper() == b"PERSIST":
        session.store.end(session.database, key, None)
    elif words:
        session.store.end(session.database, key, _wishes(words)[1])
    return found


def _get_many(session: Session, given: list[bytes]) -> Reply:
    held = (session.store.get(session.database, key) for key in given)
    return [value if isinstance(value, bytes) else None for value in held]


def _set_many(session: Session, given: list[bytes]) -> Reply:
    for key, value in pairs(given):
        session.store.put(session.database, key, value)
    return OK


def _add(session: Session, key: bytes, amount: int) -> Reply:
    held = session.store.text(session.database, key)
    total = whole(held or b"0") + amount
    if abs(total) >= 1 << 63:
        return Failure(NO_NUMBER)
    session.store.put(session.database, key, str(total).encode(), keep_end=True)
    return total


def _append(session: Session, given: list[bytes]) -> Reply:
    whole_text = (session.store.text(session.database, given[0]) or b"") + given[1]
    session.store.put(session.database, given[0], whole_text, keep_end=True)
    return len(whole_text)


COMMANDS: Table = {
    "GET": (1, _get),
    "SET": (2, _set),
    "SETEX": (3, lambda session, given: _set_for(session, given, b"EX")),
    "PSETEX": (3, lambda session, given: _set_for(session, given, b"PX")),
    "SETNX": (2, _set_new),
    "GETSET": (2, lambda session, given: _set(session, [*given[:2], b"GET"])),
    "GETDEL": (1, _get_deleted),
    "GETEX": (1, _get_kept),
    "MGET": (1, _get_many),
    "MSET": (2, _set_many),
    "INCR": (1, lambda session, given: _add(session, given[0], 1)),
    "DECR": (1, lambda session, given: _add(session, given[0], -1)),
    "INCRBY": (2, lambda session, given: _add(session, given[0], whole(given[1]))),
    "DECRBY": (2, lambda session, given: _add(session, given[0], -whole(given[1]))),
    "APPEND": (2, _append),
    "STRLEN": (1, lambda session, given: len(session.store.text(session.database, given[0]) or b"")),
}
