"""Reads spread over a few connections that all see the same moment of the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, TypeVar

from uscdr.errors import ProviderError
from uscdr.pool import run_all
from uscdr.providers.postgres.connection import Link
from uscdr.providers.postgres.errors import POOLER, TOO_MANY, translated
from uscdr.providers.postgres.reading import mark

if TYPE_CHECKING:
    from uscdr.providers.postgres.connection import Connection

_NO_MORE = frozenset({TOO_MANY, POOLER, "22023", "42704"})
"""Why another connection may not be had, or does not see the same moment, as behind a pooler of several servers."""

T = TypeVar("T")
R = TypeVar("R")


def spread(link: Link, workers: int, work: Callable[[Connection, T], R], items: Sequence[T]) -> list[R]:
    """`work` on every item, on at most `workers` connections with one snapshot; results in order.

    Items begin in the order given, so the longest should come first. A read: it may be retried as a
    whole. When the server has no connection to spare, those already open do the rest.
    """
    return link.retried(lambda: _spread_once(link, workers, work, items))


def _spread_once(link: Link, workers: int, work: Callable[[Connection, T], R], items: Sequence[T]) -> list[R]:
    if not items:
        return []
    crew = _Crew(link)
    try:
        crew.lead()
        tasks = [_task(crew, work, item) for item in items]
        return run_all(tasks, workers=workers, abandon=crew.cancel)
    finally:
        crew.close()


def _task(crew: _Crew, work: Callable[[Connection, T], R], item: T) -> Callable[[], R]:
    def task() -> R:
        connection = crew.borrow()
        try:
            with translated(crew.server):
                return work(connection, item)
        finally:
            crew.give_back(connection)

    return task


class _Crew:
    """Connections sharing the snapshot of the first, which keeps its transaction open to the end."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.server = link.server
        self._snapshot = ""
        self._open: list[Connection] = []
        self._idle: LifoQueue[Connection] = LifoQueue()

    def lead(self) -> None:
        with translated(self.server):
            leader = self._join()
            row = leader.execute("SELECT pg_catalog.pg_export_snapshot()").fetchone()
            mark(leader)
        self._snapshot = row[0] if row else ""
        self._idle.put(leader)

    def borrow(self) -> Connection:
        try:
            return self._idle.get_nowait()
        except Empty:
            pass
        try:
            with translated(self.server):
                joined = self._join()
                mark(joined)
                return joined
        except ProviderError as error:
            if error.error_id not in _NO_MORE:
                raise
        return self._idle.get()  # every borrower gives back, so this ends

    def give_back(self, connection: Connection) -> None:
        self._idle.put(connection)

    def cancel(self) -> None:
        """Cuts the queries under way short."""
        import psycopg

        for connection in tuple(self._open):
            try:
                connection.cancel_safe(timeout=2)
            except psycopg.Error:
                connection.close()

    def close(self) -> None:
        for connection in self._open:
            connection.close()

    def _join(self) -> Connection:
        connection = self._link.open()
        self._open.append(connection)
        self._link.begin(connection, snapshot=self._snapshot)
        return connection
