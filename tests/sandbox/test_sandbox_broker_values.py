"""What workers, result stores, caches and locks ask of a broker, as the official client library asks it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from clinic_broker import Place, broker
from clinic_site import until


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with broker() as one:
        yield one


@pytest.fixture(params=[2, 3], ids=["second version", "third version"])
def one(place: Place, request: pytest.FixtureRequest) -> Iterator[Any]:
    with client(place, request.param) as made:
        made.flushall()
        yield made


def client(place: Place, protocol: int = 3) -> Any:
    return redis.Redis.from_url(place.url, socket_timeout=30, retry=Retry(NoBackoff(), 0), protocol=protocol)


def test_texts_and_how_long_they_are_kept(one: Any) -> None:
    assert one.get("a") is None
    assert one.set("a", "1") is True
    assert (one.get("a"), one.ttl("a"), one.ttl("none"), one.type("a")) == (b"1", -1, -2, b"string")
    assert one.set("a", "2", nx=True) is None
    assert one.set("b", "2", xx=True) is None
    assert one.set("a", "3", get=True) == b"1"
    assert one.set("a", "4", px=60_000) is True
    assert 0 < one.pttl("a") <= 60_000
    one.set("a", "5", keepttl=True)
    assert one.pttl("a") > 0
    one.pexpire("a", 5)
    until(lambda: one.get("a") is None)
    assert (one.get("a"), one.exists("a"), one.keys("*")) == (None, 0, [])
    assert one.execute_command("SETEX", "c", 100, "x") in (b"OK", True)
    assert 99 <= one.ttl("c") <= 100
    assert (one.persist("c"), one.ttl("c"), one.expire("c", 50, gt=True), one.expire("c", 50, nx=True)) == (1, -1, 0, 1)
    assert one.mset({"d": "1", "e": "2"}) is True
    assert one.mget("d", "none", "e") == [b"1", None, b"2"]
    assert (one.setnx("d", "9"), one.getset("d", "7"), one.getdel("d"), one.strlen("e")) == (0, b"1", b"7", 1)
    with pytest.raises(redis.ResponseError, match="invalid expire"):
        one.set("a", "1", ex=0)


def test_counters(one: Any) -> None:
    assert (one.incr("n"), one.incrby("n", 4), one.decr("n"), one.get("n")) == (1, 5, 4, b"4")
    one.set("n", "word")
    with pytest.raises(redis.ResponseError, match="not an integer"):
        one.incr("n")
    one.set("n", "1", ex=100)
    one.incr("n")
    assert one.ttl("n") > 0, "a counter keeps its end"


def test_a_queue_from_both_ends(one: Any, place: Place) -> None:
    one.lpush("celery", "a", "b")
    one.rpush("celery", "c")
    assert one.lrange("celery", 0, -1) == [b"b", b"a", b"c"]
    assert one.brpop(["other", "celery"], timeout=1) in ((b"celery", b"c"), [b"celery", b"c"])
    assert (one.lindex("celery", 0), one.lrem("celery", 0, "b"), one.rpop("celery"), one.exists("celery")) == (
        b"b", 1, b"a", 0,
    )  # fmt: skip
    one.rpush("celery", *"vwxyz")
    one.ltrim("celery", 1, 3)
    assert one.rpoplpush("celery", "kept") == b"y"
    assert one.lmove("celery", "kept", "LEFT", "RIGHT") == b"w"
    assert (one.lrange("celery", 0, -1), one.lrange("kept", 0, -1)) == ([b"x"], [b"y", b"w"])
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(one.brpop("late", timeout=30)))
    thread.start()
    with client(place) as other:
        other.lpush("late", "1")
    thread.join()
    assert list(got[0]) == [b"late", b"1"]
    assert one.brpop("late", timeout=0.05) is None


def test_bindings_and_what_is_not_acknowledged(one: Any) -> None:
    assert (one.sadd("_kombu.binding.celery", "q1", "q2"), one.sadd("_kombu.binding.celery", "q2")) == (2, 0)
    assert one.smembers("_kombu.binding.celery") == {b"q1", b"q2"}
    assert (one.sismember("_kombu.binding.celery", "q1"), one.srem("_kombu.binding.celery", "q1", "q2")) == (1, 2)
    assert one.exists("_kombu.binding.celery") == 0
    assert one.hset("unacked", "t1", "message") == 1
    assert (one.hget("unacked", "t1"), one.hgetall("unacked"), one.hlen("unacked")) == (
        b"message", {b"t1": b"message"}, 1,
    )  # fmt: skip
    assert (one.hincrby("unacked", "n", 2), one.hdel("unacked", "t1", "n", "none"), one.exists("unacked")) == (2, 2, 0)
    assert one.zadd("unacked_index", {"t1": 5.5, "t2": 1}) == 2
    assert one.zrevrangebyscore("unacked_index", 6, 0, start=0, num=1, withscores=True) in (
        [(b"t1", 5.5)], [[b"t1", 5.5]],
    )  # fmt: skip
    assert one.zrange("unacked_index", 0, -1) == [b"t2", b"t1"]
    assert one.zrange("unacked_index", 9, 0, desc=True, byscore=True, offset=0, num=1) == [b"t1"]
    assert one.zrangebyscore("unacked_index", "(1", "+inf") == [b"t1"]
    assert (one.zscore("unacked_index", "t1"), one.zcount("unacked_index", 0, 2)) == (5.5, 1)
    assert (one.zremrangebyscore("unacked_index", 0, 2), one.zrem("unacked_index", "t1")) == (1, 1)
    one.rpush("list", "x")
    for command in (("GET", "list"), ("SADD", "list", "x"), ("HGET", "list", "x"), ("ZCARD", "list")):
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            one.execute_command(*command)
    one.zadd("scores", {"a": 1})
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        one.hget("scores", "a")


def test_a_transaction_is_done_whole_or_not_at_all(one: Any, place: Place) -> None:
    with one.pipeline() as all_of_it:
        all_of_it.set("celery-task-meta-1", "result", ex=60).publish("celery-task-meta-1", "result").zadd("z", {"m": 1})
        assert all_of_it.execute() == [True, 0, 1]
    with client(place) as other, one.pipeline() as watching:
        watching.watch("n")
        other.set("n", "changed")
        watching.multi()
        watching.set("n", "mine")
        with pytest.raises(redis.WatchError):
            watching.execute()
    assert one.get("n") == b"changed"
    with one.pipeline() as spoilt:
        spoilt.set("a", "1").execute_command("FLY")
        with pytest.raises(redis.ResponseError, match="unknown command"):
            spoilt.execute()
    assert one.get("a") is None
    with one.pipeline() as wrong:
        wrong.set("a", "1").incr("n").set("b", "2")
        with pytest.raises(redis.ResponseError, match="not an integer"):
            wrong.execute()
    assert (one.get("a"), one.get("b")) == (b"1", b"2"), "as a real one: the others are done"


def test_messages_reach_whoever_listens(one: Any, place: Place) -> None:
    with client(place) as other, one.pubsub(ignore_subscribe_messages=False) as heard:
        heard.subscribe("result-1")
        heard.psubscribe("/0.celery.*")
        assert [heard.get_message(timeout=30)["type"] for _ in range(2)] == ["subscribe", "psubscribe"]
        assert (other.publish("result-1", "done"), other.publish("/0.celery.pidbox", "ping")) == (1, 1)
        assert other.publish("nobody", "x") == 0
        assert heard.get_message(timeout=30)["data"] == b"done"
        assert heard.get_message(timeout=30) == {
            "type": "pmessage", "pattern": b"/0.celery.*", "channel": b"/0.celery.pidbox", "data": b"ping",
        }  # fmt: skip
        assert dict(other.pubsub_numsub("result-1")) == {b"result-1": 1}
        heard.unsubscribe()
        assert heard.get_message(timeout=30)["type"] == "unsubscribe"
        assert other.publish("result-1", "again") == 0


def test_a_lock_is_given_back_by_its_holder_alone(one: Any) -> None:
    held = one.lock("unacked_mutex", timeout=5)
    assert held.acquire(blocking=False)
    assert not one.lock("unacked_mutex", timeout=5).acquire(blocking=False)
    assert held.extend(10)
    assert 5000 < one.pttl("unacked_mutex") <= 15000
    assert held.reacquire()
    assert one.pttl("unacked_mutex") <= 5000
    held.release()
    assert one.exists("unacked_mutex") == 0
    held.acquire()
    one.set("unacked_mutex", "another's")
    with pytest.raises(redis.exceptions.LockError):
        held.release()
    with pytest.raises(redis.ResponseError, match="no scripts but those"):
        one.eval("return 1", 0)


REFRESH = """
redis.call('SADD', KEYS[1], ARGV[1])
local now = redis.call('TIME')
redis.call('ZADD', KEYS[2], 'GT', now[1] * 1000 + tonumber(ARGV[3]), ARGV[2])
"""
SWEEP = """
local now = redis.call('TIME')
local overdue = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now[1] * 1000, 'LIMIT', 0, tonumber(ARGV[3]))
for _, exchange in ipairs(overdue) do
    if redis.call('EXISTS', ARGV[2] .. exchange) == 0 then redis.call('DEL', ARGV[1] .. exchange) end
    redis.call('ZREM', KEYS[1], exchange)
end
return #overdue
"""


def test_bindings_that_nobody_renews_are_swept(one: Any) -> None:
    refresh, sweep = one.register_script(REFRESH), one.register_script(SWEEP)
    refresh(keys=["b.late", "deadlines"], args=["q1", "late", -1000])
    refresh(keys=["b.kept", "deadlines"], args=["q2", "kept", -1000])
    refresh(keys=["b.live", "deadlines"], args=["q3", "live", 60000])
    one.sadd("permanent.kept", "q2")
    assert sweep(keys=["deadlines"], args=["b.", "permanent.", 100]) == 2
    assert sorted(one.keys("b.*")) == [b"b.kept", b"b.live"]
    assert one.zrange("deadlines", 0, -1) == [b"live"]


def test_what_a_cache_looks_for(one: Any) -> None:
    one.mset({f":1:page.{n}": "x" for n in range(30)} | {"other": "y"})
    assert sorted(one.scan_iter(match=":1:page.*", count=10)) == sorted(one.keys(":1:*"))
    assert one.unlink(*one.keys(":1:*")) == 30
    assert (one.dbsize(), one.rename("other", "named"), one.get("named"), one.touch("named")) == (1, True, b"y", 1)
    assert one.flushdb() is True
    assert one.dbsize() == 0
