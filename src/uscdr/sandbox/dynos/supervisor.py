"""Keeps each app's dynos equal to its formation under its current release."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from uscdr.sandbox.dynos.dyno import Dyno

if TYPE_CHECKING:
    from uscdr.sandbox.dynos.environment import Runtime
    from uscdr.sandbox.processes import Ledger
    from uscdr.sandbox.world.apps import App
    from uscdr.sandbox.world.entities import FormationEntry

ONE_OFF = "run"


class Supervisor:
    """Starts and stops formation dynos. Changes of one app happen one after another."""

    def __init__(self, runtime: Runtime, ledger: Ledger) -> None:
        self.runtime = runtime
        self.ledger = ledger
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, app: App, *, restart: tuple[Dyno, ...] = ()) -> None:
        """Reconcile in the background, replacing the dynos named in `restart`."""
        task = asyncio.create_task(self.reconcile(app, restart=restart))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reconcile(self, app: App, *, restart: tuple[Dyno, ...] = ()) -> None:
        """Stop what should not run, start what should; returns when the stopped ones are gone."""
        async with self._locks.setdefault(app.id, asyncio.Lock()):
            running = [dyno for dyno in app.dynos if dyno.type != ONE_OFF]
            leaving = [dyno for dyno in running if dyno in restart or not _wanted(app, dyno)]
            await asyncio.gather(*(self._remove(app, dyno) for dyno in leaving))
            for entry in () if app.gone else app.formation.values():
                self._fill(app, entry)

    async def _remove(self, app: App, dyno: Dyno) -> None:
        await dyno.stop()
        app.dynos.remove(dyno)

    def _fill(self, app: App, entry: FormationEntry) -> None:
        if app.current is None or app.current.slug is None:
            return
        names = {dyno.name for dyno in app.dynos}
        for number in range(1, entry.quantity + 1):
            name = f"{entry.type}.{number}"
            if name not in names:
                dyno = Dyno(app, app.current, type_=entry.type, name=name, command=entry.command, size=entry.size)
                app.dynos.append(dyno)
                dyno.launch(self.runtime, self.ledger)

    async def close(self, apps: list[App]) -> None:
        """Stop every formation dyno."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        dynos = [dyno for app in apps for dyno in app.dynos if dyno.type != ONE_OFF]
        await asyncio.gather(*(dyno.stop() for dyno in dynos))


def _wanted(app: App, dyno: Dyno) -> bool:
    entry = app.formation.get(dyno.type)
    number = int(dyno.name.rpartition(".")[2])
    current = app.current is not None and dyno.release.id == app.current.id
    return bool(not app.gone and entry and number <= entry.quantity and entry.size == dyno.size and current)
