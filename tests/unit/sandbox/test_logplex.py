"""The log service: formats, filters, sessions and streams."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from uscdr.sandbox.logplex import LogBuffer, LogSession, LogSessions, events


def buffer_of(*lines: tuple[str, str, str], limit: int = 1500) -> LogBuffer:
    buffer = LogBuffer(limit, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    for line in lines:
        buffer.append(*line)
    return buffer


MIXED = (
    ("heroku", "web.1", "State changed from starting to up"),
    ("app", "web.1", "hello"),
    ("app", "worker.1", "job"),
    ("heroku", "router", "at=info"),
)


def test_lines_look_like_herokus() -> None:
    assert buffer_of(("app", "web.1", "text")).lines() == ["2026-01-01T00:00:00.000000+00:00 app[web.1]: text"]


@pytest.mark.parametrize(
    ("dyno", "source", "wanted"),
    [
        (None, None, [0, 1, 2, 3]),
        ("web.1", None, [0, 1]),
        ("web", None, [0, 1]),
        ("worker", "app", [2]),
        (None, "heroku", [0, 3]),
        ("router", None, [3]),
        ("web.2", None, []),
    ],
)
def test_filters(dyno: str | None, source: str | None, wanted: list[int]) -> None:
    lines = buffer_of(*MIXED).lines(100, dyno, source)
    assert [line.partition("]: ")[2] for line in lines] == [MIXED[i][2] for i in wanted]


def test_only_the_last_lines_are_kept_and_given() -> None:
    buffer = buffer_of(*(("app", "web.1", str(n)) for n in range(30)), limit=10)
    assert [line[-2:] for line in buffer.lines(3)] == ["27", "28", "29"]
    assert len(buffer.lines(100)) == 10
    assert buffer.lines(0) == []


def test_stream_without_tail_ends() -> None:
    async def body() -> list[bytes]:
        return [event async for event in events(LogSession(buffer_of(*MIXED), lines=2))]

    first, second = asyncio.run(body())
    assert first == b"id: 1\ndata: 2026-01-01T00:00:00.000000+00:00 app[worker.1]: job\n\n"
    assert second.startswith(b"id: 2\n")


def test_tail_goes_on_with_what_comes_and_loses_nothing_between() -> None:
    async def body() -> list[bytes]:
        buffer = buffer_of(("app", "web.1", "past"))
        stream = events(LogSession(buffer, tail=True, dyno="web"))
        seen = [await anext(stream)]
        buffer.append("app", "worker.1", "not wanted")
        buffer.append("app", "web.1", "present")
        seen.append(await asyncio.wait_for(anext(stream), 60))
        await stream.aclose()  # type: ignore[attr-defined]
        assert buffer._subscribers == set()
        return seen

    past, present = asyncio.run(body())
    assert past.endswith(b"past\n\n")
    assert present.endswith(b"app[web.1]: present\n\n")
    assert present.startswith(b"id: 2\n")


def test_tail_ends_after_its_time() -> None:
    async def body() -> int:
        stream = events(LogSession(buffer_of(*MIXED), tail=True), limit=0.05)
        return len([event async for event in stream])

    assert asyncio.run(body()) == 4


def test_a_slow_reader_loses_lines_not_memory() -> None:
    async def body() -> None:
        buffer = LogBuffer()
        with buffer.subscribe() as queue:
            for n in range(5000):
                buffer.append("app", "web.1", str(n))
            assert queue.qsize() == 2000
            assert queue.get_nowait().text == "3000"

    asyncio.run(body())


def test_text_of_several_lines_is_one_event() -> None:
    async def body() -> list[bytes]:
        return [event async for event in events(LogSession(buffer_of(("app", "web.1", "a\nb"))))]

    (event,) = asyncio.run(body())
    assert event.endswith(b"app[web.1]: a\ndata: b\n\n")


def test_sessions_expire_unread_after_minutes_and_read_after_an_hour() -> None:
    now = 0.0
    sessions = LogSessions(clock=lambda: now)
    session = LogSession(buffer_of())
    unread, read = sessions.create(session), sessions.create(session)
    now = 299.0
    assert sessions.find(read) is session
    now = 301.0
    assert sessions.find(unread) is None
    assert sessions.find(read) is session
    now = 299.0 + 3601
    assert sessions.find(read) is None
    assert sessions.find("unknown") is None
