"""Carries out transfers one at a time per add-on, and keeps no more manual backups than the plan does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from uscdr.errors import MachineError
from uscdr.sandbox.data import dump
from uscdr.sandbox.data.download import DownloadFailed, download
from uscdr.sandbox.world.entities import Addon, Database, new_id, now
from uscdr.sandbox.world.transfer import Transfer

if TYPE_CHECKING:
    import ssl

    from uscdr.sandbox.data.cluster import DatabaseCluster
    from uscdr.sandbox.world.apps import App, World

_STORE = "https://uscdr-sandbox-backups.s3.amazonaws.invalid"


class Transfers:
    """Backups and restores. `keep` is the number of manual backups kept for an app."""

    def __init__(
        self, world: World, cluster: DatabaseCluster, directory: Path, *, trust: ssl.SSLContext, keep: int
    ) -> None:
        self._world = world
        self._cluster = cluster
        self._directory = directory
        self._trust = trust
        self._keep = keep

    def _owner(self, addon: Addon) -> App:
        return self._world.app(addon.app_id)

    def _label(self, addon: Addon) -> str:
        names = [one.name for one in self._world.attachments if one.addon_id == addon.id]
        return names[0] if names else addon.name

    def capture(self, addon: Addon, *, fault: str = "") -> Transfer:
        """Start a manual backup; it is pending until earlier transfers of the add-on are over."""
        app, database = self._owner(addon), _database(addon)
        app.transfer_count += 1
        uuid = new_id()
        transfer = Transfer(
            num=app.transfer_count,
            app_id=app.id,
            addon_id=addon.id,
            from_type="pg_dump",
            from_name=self._label(addon),
            from_url=self._cluster.url(database),
            to_type="gof3r",
            to_name="BACKUP",
            to_url=f"{_STORE}/{uuid}",
            uuid=uuid,
            num_keep=self._keep,
            fault=fault,
            file=self._directory / f"{uuid}.dump",
        )
        app.transfers.append(transfer)
        transfer.task = asyncio.create_task(self._carry_out(transfer, addon))
        return transfer

    def restore(self, addon: Addon, source: str, *, extensions: Sequence[str] = (), fault: str = "") -> Transfer:
        """Start a restore from a stored backup's `to_url` or from any http(s) URL.

        `extensions` are created in the empty database before the dump is loaded.
        """
        app, database = self._owner(addon), _database(addon)
        app.transfer_count += 1
        stored = self._stored(source)
        transfer = Transfer(
            num=app.transfer_count,
            app_id=app.id,
            addon_id=addon.id,
            from_type="gof3r" if stored else "htcat",
            from_name="BACKUP",
            from_url=source,
            to_type="pg_restore",
            to_name=self._label(addon),
            to_url=self._cluster.url(database),
            num_keep=self._keep,
            fault=fault,
            extensions=list(extensions),
        )
        app.transfers.append(transfer)
        transfer.task = asyncio.create_task(self._carry_out(transfer, addon))
        return transfer

    def _stored(self, url: str) -> Transfer | None:
        known = [one for app in self._world.seen() for one in app.transfers if one.is_backup]
        return next((one for one in known if one.to_url == url), None)

    def cancel(self, transfer: Transfer) -> None:
        """Stop a transfer that is not over; a finished one stays as it is."""
        if transfer.finished_at is None:
            transfer.canceled_at = now()
            transfer.log("canceled by user")
            if transfer.task:
                transfer.task.cancel()

    def delete(self, app: App, transfer: Transfer) -> None:
        """Remove a transfer and its dump."""
        app.transfers.remove(transfer)
        if transfer.file:
            transfer.file.unlink(missing_ok=True)

    async def delete_all(self, app: App, transfers: Sequence[Transfer]) -> None:
        """Cancel what is under way of them and remove them with their dumps."""
        for one in transfers:
            self.cancel(one)
        await asyncio.gather(*(one.task for one in transfers if one.task), return_exceptions=True)
        for one in [kept for kept in app.transfers if kept in transfers]:
            self.delete(app, one)

    async def _carry_out(self, transfer: Transfer, addon: Addon) -> None:
        try:
            async with addon.lock:
                transfer.started_at = now()
                await self._work(transfer, addon)
        except asyncio.CancelledError:
            transfer.finish(succeeded=False)
            raise
        except (MachineError, DownloadFailed, psycopg.Error, OSError) as error:
            transfer.log(str(error).partition("\n")[0], level="error")
            transfer.finish(succeeded=False)

    async def _work(self, transfer: Transfer, addon: Addon) -> None:
        if transfer.fault == "transfer-hangs":
            transfer.log("waiting")
            await asyncio.Event().wait()
        outcome = await (self._dump if transfer.is_backup else self._restore)(transfer, _database(addon))
        if transfer.fault == "transfer-vanishes":
            self._owner(addon).transfers.remove(transfer)
            return
        if transfer.fault == "transfer-fails" and transfer.is_backup:
            outcome = dump.Outcome(1, (*outcome.messages, "connection to storage lost"))
        self._conclude(transfer, outcome)
        self._evict(self._owner(addon))

    def _conclude(self, transfer: Transfer, outcome: dump.Outcome) -> None:
        program = "pg_dump" if transfer.is_backup else "pg_restore"
        for message in outcome.messages:
            transfer.log(message, level="error" if outcome.code else "warning")
        if transfer.fault == "transfer-warnings":
            transfer.log(f"{program}: warning: one object was skipped", level="warning")
        failed = outcome.code != 0
        if not failed:
            transfer.warnings = sum(entry["level"] == "warning" for entry in transfer.logs)
        elif transfer.file:
            transfer.file.unlink(missing_ok=True)
        transfer.log(f"{program} {'failed' if failed else 'finished'} with exit code {outcome.code}")
        transfer.finish(succeeded=not failed)

    async def _dump(self, transfer: Transfer, database: Database) -> dump.Outcome:
        if transfer.file is None:
            raise RuntimeError("a backup has a file from its start")
        transfer.source_bytes = await self._cluster.size(database)
        transfer.log(f"pg_dump starting, database size {transfer.source_bytes} bytes")
        connection = self._cluster.server.environment(database.name, database.user, database.password)
        if transfer.fault == "transfer-strange":
            connection = self._another(database)
        empty = transfer.fault == "transfer-empty"
        outcome = await dump.dump(connection, transfer.file, _counter(transfer), without_rows=empty)
        if transfer.fault == "transfer-cut":
            os.truncate(transfer.file, transfer.file.stat().st_size // 2)
        return outcome

    def _another(self, database: Database) -> dict[str, str]:
        """The connection to a database of another add-on, else to the server's own, which has no tables."""
        others = (one.database for one in self._world.addons if one.database and one.database is not database)
        found, server = next(others, None), self._cluster.server
        return server.environment(found.name, found.user, found.password) if found else server.environment()

    async def _restore(self, transfer: Transfer, database: Database) -> dump.Outcome:
        stored = self._stored(transfer.from_url)
        source = stored.file if stored and stored.file else self._directory / f"{transfer.uuid}.fetched"
        listing = self._directory / f"{transfer.uuid}.contents"
        try:
            if stored is None and transfer.from_url.startswith(_STORE):
                raise DownloadFailed("the backup does not exist any more")
            if stored is None:
                transfer.log("downloading")
                await download(transfer.from_url, source, trust=self._trust)
            transfer.source_bytes = source.stat().st_size
            await self._cluster.wipe(database)
            await self._cluster.add_extensions(database, transfer.extensions)
            transfer.log("pg_restore starting")
            connection = self._cluster.server.environment(database.name, database.user, database.password)
            part = 0.5 if transfer.fault == "transfer-fails" else 1.0
            named = None if self._cluster.plain else await dump.contents(source, listing)
            return await dump.restore(connection, source, _counter(transfer), part=part, listing=named)
        finally:
            listing.unlink(missing_ok=True)
            if stored is None:
                source.unlink(missing_ok=True)

    def _evict(self, app: App) -> None:
        backups = [one for one in app.transfers if one.is_backup and one.finished_at]
        for transfer in backups[: max(0, len(backups) - self._keep)]:
            self.delete(app, transfer)


def _database(addon: Addon) -> Database:
    if addon.database is None:
        raise MachineError(f"{addon.name} is not a database.")
    return addon.database


def _counter(transfer: Transfer) -> dump.Progress:
    def count(size: int) -> None:
        transfer.processed_bytes = size
        transfer.updated_at = now()

    return count
