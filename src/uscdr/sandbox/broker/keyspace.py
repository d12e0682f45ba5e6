"""Keys, whatever they hold: which there are, and until when they are kept."""

from __future__ import annotations

import time

from uscdr.sandbox.broker.channels import fits
from uscdr.sandbox.broker.protocol import OK, Failure, Reply, Status
from uscdr.sandbox.broker.session import Session, Table, whole
from uscdr.sandbox.broker.store import KINDS

GONE, FOR_GOOD = -2, -1


def _delete(session: Session, given: list[bytes]) -> Reply:
    there = [key for key in dict.fromkeys(given) if session.store.get(session.database, key) is not None]
    return sum(session.store.remove(session.database, key) for key in there)


def _exists(session: Session, given: list[bytes]) -> Reply:
    return sum(session.store.get(session.database, key) is not None for key in given)


def _type(session: Session, given: list[bytes]) -> Reply:
    held = session.store.get(session.database, given[0])
    return Status("none" if held is None else KINDS[type(held)])


def _keys(session: Session, given: list[bytes]) -> Reply:
    return [key for key in session.store.keys(session.database) if fits(key, given[0])]


def _scan(session: Session, given: list[bytes]) -> Reply:
    """Everything at once: `cursor [MATCH pattern] [COUNT n] [TYPE kind]`."""
    asked = {word.upper(): value for word, value in zip(given[1::2], given[2::2], strict=False)}
    found = [key for key in session.store.keys(session.database) if fits(key, asked.get(b"MATCH", b"*"))]
    kind = asked.get(b"TYPE")
    held = [(key, session.store.get(session.database, key)) for key in found]
    return [b"0", [key for key, value in held if kind is None or KINDS[type(value)].encode() == kind.lower()]]


def _size(session: Session, _given: list[bytes]) -> Reply:
    return len(session.store.keys(session.database))


def _expire(session: Session, key: bytes, seconds: float, words: list[bytes]) -> Reply:
    """With `NX`, `XX`, `GT` or `LT` only where the key has no end, has one, or an earlier or later one."""
    left, wish = session.store.left(session.database, key), words[0].upper() if words else b""
    refused = {
        b"NX": left is not None,
        b"XX": left is None,
        b"GT": left is None or seconds <= left,
        b"LT": left is not None and seconds >= left,
    }
    if wish and wish not in refused:
        return Failure("ERR Unsupported option")
    return int(not refused.get(wish, False) and session.store.end(session.database, key, seconds))


def _left(session: Session, key: bytes, scale: int) -> int:
    if session.store.get(session.database, key) is None:
        return GONE
    left = session.store.left(session.database, key)
    return FOR_GOOD if left is None else round(left * scale)


def _rename(session: Session, given: list[bytes]) -> Reply:
    held, left = session.store.get(session.database, given[0]), session.store.left(session.database, given[0])
    if held is None:
        return Failure("ERR no such key")
    session.store.remove(session.database, given[0])
    session.store.put(session.database, given[1], held)
    if left is not None:
        session.store.end(session.database, given[1], left)
    return OK


def _flush(session: Session, database: int | None) -> Reply:
    session.store.clear(database)
    return OK


def _time(_session: Session, _given: list[bytes]) -> Reply:
    seconds, rest = divmod(time.time(), 1)
    return [str(int(seconds)).encode(), str(int(rest * 1_000_000)).encode()]


COMMANDS: Table = {
    "DEL": (1, _delete),
    "UNLINK": (1, _delete),
    "EXISTS": (1, _exists),
    "TOUCH": (1, _exists),
    "TYPE": (1, _type),
    "KEYS": (1, _keys),
    "SCAN": (1, _scan),
    "DBSIZE": (0, _size),
    "EXPIRE": (2, lambda session, given: _expire(session, given[0], whole(given[1]), given[2:])),
    "PEXPIRE": (2, lambda session, given: _expire(session, given[0], whole(given[1]) / 1000, given[2:])),
    "EXPIREAT": (2, lambda session, given: _expire(session, given[0], whole(given[1]) - time.time(), given[2:])),
    "PEXPIREAT": (
        2,
        lambda session, given: _expire(session, given[0], whole(given[1]) / 1000 - time.time(), given[2:]),
    ),
    "PERSIST": (1, lambda session, given: int(session.store.end(session.database, given[0], None))),
    "TTL": (1, lambda session, given: _left(session, given[0], 1)),
    "PTTL": (1, lambda session, given: _left(session, given[0], 1000)),
    "RENAME": (2, _rename),
    "FLUSHDB": (0, lambda session, _given: _flush(session, session.database)),
    "FLUSHALL": (0, lambda session, _given: _flush(session, None)),
    "TIME": (0, _time),
}
