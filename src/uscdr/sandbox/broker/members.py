"""Sets, hashes and sorted sets: who is bound to which queue, and what was taken and not yet acknowledged."""

from __future__ import annotations

from itertools import islice

from uscdr.sandbox.broker.protocol import OK, THIRD, Real, Reply
from uscdr.sandbox.broker.session import Session, Table, number, pairs, whole
from uscdr.sandbox.broker.store import Hash, Scores


def _set_of(session: Session, key: bytes) -> set[bytes]:
    return session.store.held(session.database, key, set)


def _hash_of(session: Session, key: bytes) -> Hash:
    return session.store.held(session.database, key, Hash)


def _scores_of(session: Session, key: bytes) -> Scores:
    return session.store.held(session.database, key, Scores)


# sets


def _add(session: Session, given: list[bytes]) -> Reply:
    held = _set_of(session, given[0])
    before = len(held)
    held.update(given[1:])
    return len(held) - before


def _drop(session: Session, given: list[bytes]) -> Reply:
    held = _set_of(session, given[0])
    before = len(held)
    held.difference_update(given[1:])
    return before - len(held)


# hashes


def _put(session: Session, given: list[bytes]) -> Reply:
    held = _hash_of(session, given[0])
    before = len(held)
    held.update(pairs(given[1:]))
    return len(held) - before


def _put_many(session: Session, given: list[bytes]) -> Reply:
    _put(session, given)
    return OK


def _put_new(session: Session, given: list[bytes]) -> Reply:
    held = _hash_of(session, given[0])
    if given[1] in held:
        return 0
    held[given[1]] = given[2]
    return 1


def _take(session: Session, given: list[bytes]) -> Reply:
    held = _hash_of(session, given[0])
    return sum(held.pop(field, None) is not None for field in given[1:])


def _count(session: Session, given: list[bytes]) -> Reply:
    held = _hash_of(session, given[0])
    total = whole(held.get(given[1], b"0")) + whole(given[2])
    held[given[1]] = str(total).encode()
    return total


# sorted sets


def _rate(session: Session, given: list[bytes]) -> Reply:
    """`key [NX | XX] [GT | LT] [CH] [INCR] score member …`."""
    words = given[1:]
    flags = set()
    while words and words[0].upper() in (b"NX", b"XX", b"CH", b"INCR", b"GT", b"LT"):
        flags.add(words.pop(0).upper())
    held, added, changed = _scores_of(session, given[0]), 0, 0
    for score, member in pairs(words):
        old, new = held.get(member), number(score) + (held.get(member, 0.0) if b"INCR" in flags else 0.0)
        worse = old is not None and ((b"GT" in flags and new <= old) or (b"LT" in flags and new >= old))
        if (b"NX" in flags and old is not None) or (b"XX" in flags and old is None) or worse:
            continue
        held[member] = new
        added += old is None
        changed += old is not None and old != new
        if b"INCR" in flags:
            return Real(new)
    return None if b"INCR" in flags else added + (changed if b"CH" in flags else 0)


def _score(session: Session, given: list[bytes]) -> Reply:
    found = _scores_of(session, given[0]).get(given[1])
    return None if found is None else Real(found)


def _unrate(session: Session, given: list[bytes]) -> Reply:
    held = _scores_of(session, given[0])
    return sum(held.pop(member, None) is not None for member in given[1:])


def _between(session: Session, key: bytes, low: bytes, high: bytes) -> list[tuple[bytes, float]]:
    """By score; `(5` leaves 5 out."""

    def fits(score: float) -> bool:
        above = score > number(low) if low.startswith(b"(") else score >= number(low)
        return above and (score < number(high) if high.startswith(b"(") else score <= number(high))

    return [pair for pair in _scores_of(session, key).ranked() if fits(pair[1])]


def _by_score(session: Session, given: list[bytes], *, falling: bool) -> Reply:
    """`key from to [WITHSCORES] [LIMIT offset count]`."""
    key, first, last, *words = given
    low, high = (last, first) if falling else (first, last)
    found = _between(session, key, low, high)
    found = found[::-1] if falling else found
    upper = [word.upper() for word in words]
    if b"LIMIT" in upper:
        at = upper.index(b"LIMIT")
        offset, count = whole(words[at + 1]), whole(words[at + 2])
        found = list(islice(found, offset, None if count < 0 else offset + count))
    return _told(session, found, scores=b"WITHSCORES" in upper)


def _range(session: Session, given: list[bytes]) -> Reply:
    """`key from to [BYSCORE] [REV] [LIMIT offset count] [WITHSCORES]`."""
    words = [word.upper() for word in given[3:]]
    by = _by_score if b"BYSCORE" in words else _by_rank
    return by(session, given, falling=b"REV" in words)


def _by_rank(session: Session, given: list[bytes], *, falling: bool) -> Reply:
    key, first, last, *words = given
    found = _scores_of(session, key).ranked()
    found = found[::-1] if falling else found
    begin, end = (whole(one) + (len(found) if whole(one) < 0 else 0) for one in (first, last))
    return _told(session, found[max(begin, 0) : max(end, -1) + 1], scores=b"WITHSCORES" in [w.upper() for w in words])


def _told(session: Session, found: list[tuple[bytes, float]], *, scores: bool) -> Reply:
    if not scores:
        return [member for member, _ in found]
    if session.version == THIRD:
        return [[member, Real(score)] for member, score in found]
    return [word for member, score in found for word in (member, Real(score))]


def _remove_between(session: Session, given: list[bytes]) -> Reply:
    held = _scores_of(session, given[0])
    return sum(held.pop(member, None) is not None for member, _ in _between(session, *given[:3]))


def _pop_lowest(session: Session, given: list[bytes]) -> Reply:
    held = _scores_of(session, given[0])
    found = held.ranked()[: whole(given[1]) if given[1:] else 1]
    for member, _ in found:
        del held[member]
    return _told(session, found, scores=True)


COMMANDS: Table = {
    "SADD": (2, _add),
    "SREM": (2, _drop),
    "SMEMBERS": (1, lambda session, given: [*sorted(_set_of(session, given[0]))]),
    "SISMEMBER": (2, lambda session, given: int(given[1] in _set_of(session, given[0]))),
    "SCARD": (1, lambda session, given: len(_set_of(session, given[0]))),
    "HSET": (3, _put),
    "HMSET": (3, _put_many),
    "HSETNX": (3, _put_new),
    "HGET": (2, lambda session, given: _hash_of(session, given[0]).get(given[1])),
    "HMGET": (2, lambda session, given: [_hash_of(session, given[0]).get(field) for field in given[1:]]),
    "HGETALL": (1, lambda session, given: dict(_hash_of(session, given[0]))),
    "HDEL": (2, _take),
    "HEXISTS": (2, lambda session, given: int(given[1] in _hash_of(session, given[0]))),
    "HKEYS": (1, lambda session, given: list(_hash_of(session, given[0]))),
    "HVALS": (1, lambda session, given: list(_hash_of(session, given[0]).values())),
    "HLEN": (1, lambda session, given: len(_hash_of(session, given[0]))),
    "HINCRBY": (3, _count),
    "ZADD": (3, _rate),
    "ZREM": (2, _unrate),
    "ZSCORE": (2, _score),
    "ZCARD": (1, lambda session, given: len(_scores_of(session, given[0]))),
    "ZCOUNT": (3, lambda session, given: len(_between(session, *given[:3]))),
    "ZRANGE": (3, _range),
    "ZREVRANGE": (3, lambda session, given: _by_rank(session, given, falling=True)),
    "ZRANGEBYSCORE": (3, lambda session, given: _by_score(session, given, falling=False)),
    "ZREVRANGEBYSCORE": (3, lambda session, given: _by_score(session, given, falling=True)),
    "ZREMRANGEBYSCORE": (3, _remove_between),
    "ZPOPMIN": (1, _pop_lowest),
}
