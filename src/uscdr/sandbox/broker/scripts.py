"""The scripts of the client library's locks and of the queue library's bindings, known by what they call.

Scripts are written in Lua, which nothing here runs: each has its equal in Python, and any other is refused.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from uscdr.sandbox.broker.protocol import Failure, Reply
from uscdr.sandbox.broker.session import Session, Table, whole
from uscdr.sandbox.broker.store import Refused, Scores

_UNKNOWN = Failure("NOSCRIPT No matching script. Please use EVAL.")
_OTHER = Failure("ERR this broker runs no scripts but those of locks and bindings")
_KEPT = b"0"
"""An argument of the script that extends a lock: to what it has left, not anew."""
Script = Callable[[Session, list[bytes], list[bytes]], Reply]


def _load(session: Session, given: list[bytes]) -> Reply:
    """`LOAD script`, `EXISTS digest …`."""
    word = given[0].upper()
    if word == b"LOAD" and given[1:]:
        return _kept(session, given[1]).encode()
    if word == b"EXISTS":
        return [int(one.decode("latin-1").lower() in session.store.scripts) for one in given[1:]]
    return Failure("ERR unknown subcommand of 'script'")


def _kept(session: Session, text: bytes) -> str:
    digest = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    session.store.scripts[digest] = text
    return digest


def _by_digest(session: Session, given: list[bytes]) -> Reply:
    text = session.store.scripts.get(given[0].decode("latin-1").lower())
    return _UNKNOWN if text is None else _run(session, [text, *given[1:]])


def _run(session: Session, given: list[bytes]) -> Reply:
    """`script number key … argument …`."""
    text, number = given[0], whole(given[1])
    _kept(session, text)
    keys, words = given[2 : 2 + number], given[2 + number :]
    for marks, fewest, script in _SCRIPTS:
        if all(mark in text for mark in marks):
            if (len(keys), len(words)) < fewest:
                raise Refused("ERR wrong number of arguments")
            return script(session, keys, words)
    return _OTHER


def _own(session: Session, keys: list[bytes], words: list[bytes]) -> bool:
    return session.store.text(session.database, keys[0]) == words[0]


def _release(session: Session, keys: list[bytes], words: list[bytes]) -> Reply:
    """Drops a lock that is still its own."""
    return int(_own(session, keys, words) and session.store.remove(session.database, keys[0]))


def _extend(session: Session, keys: list[bytes], words: list[bytes]) -> Reply:
    """Keeps a lock that is still its own for longer: from now on, or beyond what it has left."""
    if not _own(session, keys, words):
        return 0
    left = session.store.left(session.database, keys[0]) if words[2:3] == [_KEPT] else None
    return int(session.store.end(session.database, keys[0], (left or 0.0) + whole(words[1]) / 1000))


def _bind(session: Session, keys: list[bytes], words: list[bytes]) -> Reply:
    """Binds a queue, and notes until when its exchange is surely bound."""
    session.store.held(session.database, keys[0], set).add(words[0])
    until = time.time() * 1000 + float(words[2])
    deadlines = session.store.held(session.database, keys[1], Scores)
    deadlines[words[1]] = max(until, deadlines.get(words[1], until))
    return None


def _sweep(session: Session, keys: list[bytes], words: list[bytes]) -> Reply:
    """Drops the bindings of exchanges whose time is over; how many."""
    deadlines = session.store.held(session.database, keys[0], Scores)
    overdue = [name for name, until in deadlines.ranked() if until <= time.time() * 1000][: whole(words[2])]
    for name in overdue:
        if session.store.get(session.database, words[1] + name) is None:
            session.store.remove(session.database, words[0] + name)
        del deadlines[name]
    return len(overdue)


_GET, _TIME = b"redis.call('get', KEYS[1])", b"redis.call('TIME')"
_SCRIPTS: tuple[tuple[tuple[bytes, ...], tuple[int, int], Script], ...] = (
    ((_GET, b"redis.call('del', KEYS[1])"), (1, 1), _release),
    ((_GET, b"redis.call('pexpire', KEYS[1]"), (1, 2), _extend),
    ((_TIME, b"redis.call('SADD', KEYS[1], ARGV[1])", b"'ZADD', KEYS[2], 'GT'"), (2, 3), _bind),
    ((_TIME, b"'ZRANGEBYSCORE', KEYS[1], '-inf'", b"redis.call('ZREM', KEYS[1]"), (1, 3), _sweep),
)
"""What stands in a script, the fewest keys and arguments, and its equal."""

COMMANDS: Table = {"SCRIPT": (1, _load), "EVALSHA": (2, _by_digest), "EVAL": (2, _run)}
