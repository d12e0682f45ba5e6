"""The commands of a broker: those that a queue of background jobs, its results, a cache and a look at them need."""

from __future__ import annotations

from collections.abc import Awaitable

from uscdr.sandbox.broker import keyspace, listening, lists, members, scripts, texts
from uscdr.sandbox.broker.protocol import NO_ARRAY, OK, SECOND, THIRD, Failure, Many, Push, Reply, Status
from uscdr.sandbox.broker.session import Session, Table
from uscdr.sandbox.broker.store import DATABASES, Refused

VERSION = "7.2.4"
_UNREAD = Failure("NOAUTH Authentication required.")
_QUEUED = Status("QUEUED")
_ANYBODY = frozenset({"AUTH", "HELLO", "QUIT"})
_AT_ONCE = frozenset({"MULTI", "EXEC", "DISCARD", "WATCH", "QUIT"})
"""Not put off by a transaction."""


async def answer(session: Session, words: list[bytes]) -> Reply:
    """What one command gives."""
    name, given = words[0].upper().decode("ascii", "replace"), words[1:]
    refused = _refusal(session, name, given)
    if refused is not None:
        session.spoilt = session.spoilt or session.queued is not None
        return refused
    if session.queued is not None and name not in _AT_ONCE:
        session.queued.append(words)
        return _QUEUED
    return await _done(session, name, given)


def _refusal(session: Session, name: str, given: list[bytes]) -> Failure | None:
    if name not in COMMANDS:
        return Failure(f"ERR unknown command '{name[:32]}'")
    if len(given) < COMMANDS[name][0]:
        return Failure(f"ERR wrong number of arguments for '{name.lower()}' command")
    return _UNREAD if not session.known and name not in _ANYBODY else None


async def _done(session: Session, name: str, given: list[bytes]) -> Reply:
    try:
        done = COMMANDS[name][1](session, given)
        return await done if isinstance(done, Awaitable) else done
    except Refused as error:
        return error.failure


def _ping(session: Session, given: list[bytes]) -> Reply:
    if session.ear.count and session.version == SECOND:
        return Many((Push((b"pong", given[0] if given else b"")),))
    return given[0] if given else Status("PONG")


def _hello(session: Session, given: list[bytes]) -> Reply:
    """`[protocol [AUTH user password] [SETNAME name]]`."""
    version = int(given[0]) if given and given[0].isdigit() else session.version
    if version not in (SECOND, THIRD) or (given and not given[0].isdigit()):
        return Failure("NOPROTO unsupported protocol version")
    word, *credentials = given[1:4] or (b"",)
    if word.upper() == b"AUTH" and isinstance(refused := session.enter(credentials or [b""]), Failure):
        return refused
    if not session.known:
        return Failure("NOAUTH HELLO must be called with the client already authenticated")
    session.version = version
    facts: dict[bytes, Reply] = {b"server": b"redis", b"version": VERSION.encode(), b"proto": version, b"id": 1}
    return {**facts, b"mode": b"standalone", b"role": b"master", b"modules": []}


def _client(_session: Session, given: list[bytes]) -> Reply:
    word = given[0].upper()
    if word in (b"SETINFO", b"SETNAME", b"NO-EVICT", b"NO-TOUCH"):
        return OK
    return 1 if word == b"ID" else None if word == b"GETNAME" else Failure("ERR unknown subcommand of 'client'")


def _select(session: Session, given: list[bytes]) -> Reply:
    if not given[0].isdigit() or int(given[0]) >= DATABASES:
        return Failure("ERR DB index is out of range")
    session.database = int(given[0])
    return OK


def _info(session: Session, _given: list[bytes]) -> Reply:
    held = [f"db{n}:keys={len(session.store.keys(n))}" for n in range(DATABASES) if session.store.keys(n)]
    lines = ["# Server", f"redis_version:{VERSION}", "redis_mode:standalone", "# Replication", "role:master"]
    return "\r\n".join([*lines, "# Keyspace", *held, ""]).encode()


def _multi(session: Session, _given: list[bytes]) -> Reply:
    if session.queued is not None:
        return Failure("ERR MULTI calls can not be nested")
    session.queued, session.spoilt = [], False
    return OK


async def _exec(session: Session, _given: list[bytes]) -> Reply:
    """All that was put off, in one go; nothing where what was watched has changed."""
    if session.queued is None:
        return Failure("ERR EXEC without MULTI")
    queued, spoilt, watched = session.queued, session.spoilt, session.watched
    session.forget()
    if spoilt:
        return Failure("EXECABORT Transaction discarded because of previous errors.")
    if any(session.store.get(*place) != before for place, before in watched.items()):
        return NO_ARRAY
    return [await _done(session, words[0].upper().decode(), words[1:]) for words in queued]


def _discard(session: Session, _given: list[bytes]) -> Reply:
    if session.queued is None:
        return Failure("ERR DISCARD without MULTI")
    session.forget()
    return OK


def _watch(session: Session, given: list[bytes]) -> Reply:
    if session.queued is not None:
        return Failure("ERR WATCH inside MULTI is not allowed")
    for key in given:
        session.watched[session.database, key] = session.store.snapshot(session.database, key)
    return OK


def _unwatch(session: Session, _given: list[bytes]) -> Reply:
    session.watched = {}
    return OK


COMMANDS: Table = {
    "PING": (0, _ping),
    "ECHO": (1, lambda _session, given: given[0]),
    "AUTH": (1, Session.enter),
    "HELLO": (0, _hello),
    "CLIENT": (1, _client),
    "SELECT": (1, _select),
    "INFO": (0, _info),
    "MULTI": (0, _multi),
    "EXEC": (0, _exec),
    "DISCARD": (0, _discard),
    "WATCH": (1, _watch),
    "UNWATCH": (0, _unwatch),
    "QUIT": (0, lambda _session, _given: OK),
    **keyspace.COMMANDS,
    **texts.COMMANDS,
    **lists.COMMANDS,
    **members.COMMANDS,
    **listening.COMMANDS,
    **scripts.COMMANDS,
}
"""By name: the fewest arguments, and what does it."""
