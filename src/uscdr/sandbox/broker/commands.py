"""The commands of a broker: those that a queue of background jobs and a look at it need."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from uscdr.sandbox.broker.lists import DATABASES, Lists
from uscdr.sandbox.broker.protocol import NO_ARRAY, OK, SECOND, THIRD, Failure, Reply, Status

VERSION = "7.2.4"
_USER = b"default"
_UNREAD = Failure("NOAUTH Authentication required.")
_WRONG = Failure("WRONGPASS invalid username-password pair or user is disabled.")
_NO_NUMBER = Failure("ERR value is not an integer or out of range")


@dataclass
class Session:
    """One connection of a client."""

    lists: Lists
    password: str = field(repr=False)
    known: bool = False
    version: int = SECOND
    database: int = 0

    def enter(self, words: list[bytes]) -> Reply:
        """Check `[user] password`."""
        user, secret = (words[0], words[1]) if len(words) > 1 else (_USER, words[0])
        self.known = user == _USER and hmac.compare_digest(secret, self.password.encode())
        return OK if self.known else _WRONG


Command = Callable[[Session, list[bytes]], Reply | Awaitable[Reply]]


async def answer(session: Session, words: list[bytes]) -> Reply:
    """What one command gives."""
    name, given = words[0].upper().decode("ascii", "replace"), words[1:]
    if name not in COMMANDS:
        return Failure(f"ERR unknown command '{name[:32]}'")
    least, command = COMMANDS[name]
    if len(given) < least:
        return Failure(f"ERR wrong number of arguments for '{name.lower()}' command")
    if not session.known and name not in ("AUTH", "HELLO", "QUIT"):
        return _UNREAD
    done = command(session, given)
    return await done if isinstance(done, Awaitable) else done


def _ping(_session: Session, given: list[bytes]) -> Reply:
    return given[0] if given else Status("PONG")


def _hello(session: Session, given: list[bytes]) -> Reply:
    """`[protocol [AUTH user password] [SETNAME name]]`."""
    version = _number(given[0]) if given else session.version
    if version not in (SECOND, THIRD):
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
    if given[0].upper() in (b"SETINFO", b"SETNAME"):
        return OK
    return Failure("ERR unknown subcommand of 'client'")


def _select(session: Session, given: list[bytes]) -> Reply:
    number = _number(given[0])
    if number is None or number >= DATABASES:
        return Failure("ERR DB index is out of range")
    session.database = number
    return OK


def _info(session: Session, _given: list[bytes]) -> Reply:
    held = [f"db{n}:keys={len(session.lists.keys(n))}" for n in range(DATABASES) if session.lists.keys(n)]
    lines = ["# Server", f"redis_version:{VERSION}", "redis_mode:standalone", "# Replication", "role:master"]
    return "\r\n".join([*lines, "# Keyspace", *held, ""]).encode()


def _push(session: Session, given: list[bytes]) -> Reply:
    return session.lists.push(session.database, given[0], given[1:])


def _pop(session: Session, given: list[bytes]) -> Reply:
    """One value, or with a count a list of them."""
    most = _number(given[1]) if given[1:] else 1
    if most is None:
        return _NO_NUMBER
    taken = session.lists.pop(session.database, given[0], most)
    if given[1:]:
        return list(taken) if taken else NO_ARRAY
    return taken[0] if taken else None


async def _blocking_pop(session: Session, given: list[bytes]) -> Reply:
    """From the first list that has something; waits for `timeout` seconds, 0: for ever."""
    try:
        limit = float(given[-1]) or None
    except ValueError:
        return Failure("ERR timeout is not a float or out of range")
    try:
        async with asyncio.timeout(limit):
            while True:
                for key in given[:-1]:
                    if taken := session.lists.pop(session.database, key):
                        return [key, taken[0]]
                await session.lists.pushed()
    except TimeoutError:
        return NO_ARRAY


def _length(session: Session, given: list[bytes]) -> Reply:
    return len(session.lists.values(session.database, given[0]))


def _range(session: Session, given: list[bytes]) -> Reply:
    """From and to, both included, negative from the end."""
    values = session.lists.values(session.database, given[0])
    try:
        first, last = (int(one) + (len(values) if int(one) < 0 else 0) for one in given[1:3])
    except ValueError:
        return _NO_NUMBER
    return list(values[max(first, 0) : last + 1])


def _delete(session: Session, given: list[bytes]) -> Reply:
    return sum(session.lists.remove(session.database, key) for key in given)


def _exists(session: Session, given: list[bytes]) -> Reply:
    return sum(key in session.lists.keys(session.database) for key in given)


def _type(session: Session, given: list[bytes]) -> Reply:
    return Status("list" if given[0] in session.lists.keys(session.database) else "none")


def _size(session: Session, _given: list[bytes]) -> Reply:
    return len(session.lists.keys(session.database))


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() else None


COMMANDS: dict[str, tuple[int, Command]] = {
    "PING": (0, _ping),
    "AUTH": (1, Session.enter),
    "HELLO": (0, _hello),
    "CLIENT": (1, _client),
    "SELECT": (1, _select),
    "INFO": (0, _info),
    "RPUSH": (2, _push),
    "LPOP": (1, _pop),
    "BLPOP": (2, _blocking_pop),
    "LLEN": (1, _length),
    "LRANGE": (3, _range),
    "DEL": (1, _delete),
    "EXISTS": (1, _exists),
    "TYPE": (1, _type),
    "DBSIZE": (0, _size),
    "QUIT": (0, lambda _session, _given: OK),
}
"""By name: the fewest arguments, and what does it."""
