"""Channels: the messages with which workers are told to look up, and callers that a result is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from uscdr.sandbox.broker.channels import Ear, fits
from uscdr.sandbox.broker.protocol import Failure, Many, Push, Reply
from uscdr.sandbox.broker.session import Session, Table

Heard = Callable[[Ear], set[bytes]]


def _listen(session: Session, given: list[bytes], word: bytes, heard: Heard) -> Reply:
    def join(name: bytes) -> Push:
        heard(session.ear).add(name)
        return Push((word, name, session.ear.count))

    return Many(tuple(map(join, given)))


def _leave(session: Session, given: list[bytes], word: bytes, heard: Heard) -> Reply:
    def drop(name: bytes) -> Push:
        heard(session.ear).discard(name)
        return Push((word, name, session.ear.count))

    left: Iterable[bytes] = given or sorted(heard(session.ear))
    return Many(tuple(map(drop, left)) or (Push((word, None, session.ear.count)),))


def _publish(session: Session, given: list[bytes]) -> Reply:
    return session.channels.publish(given[0], given[1])


def _asked(session: Session, given: list[bytes]) -> Reply:
    """`CHANNELS [pattern]`, `NUMSUB name …`."""
    word, words = given[0].upper(), given[1:]
    if word == b"CHANNELS":
        return [name for name in session.channels.names() if fits(name, words[0] if words else b"*")]
    if word == b"NUMSUB":
        return [told for name in words for told in (name, session.channels.listeners(name))]
    return Failure("ERR unknown subcommand of 'pubsub'")


def _names(ear: Ear) -> set[bytes]:
    return ear.names


def _patterns(ear: Ear) -> set[bytes]:
    return ear.patterns


COMMANDS: Table = {
    "SUBSCRIBE": (1, lambda session, given: _listen(session, given, b"subscribe", _names)),
    "UNSUBSCRIBE": (0, lambda session, given: _leave(session, given, b"unsubscribe", _names)),
    "PSUBSCRIBE": (1, lambda session, given: _listen(session, given, b"psubscribe", _patterns)),
    "PUNSUBSCRIBE": (0, lambda session, given: _leave(session, given, b"punsubscribe", _patterns)),
    "PUBLISH": (2, _publish),
    "PUBSUB": (1, _asked),
}
