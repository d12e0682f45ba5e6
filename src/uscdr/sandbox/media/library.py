"""What the service does with assets: store, replace, delete, restore, rename. Every effect is written down."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from uscdr.sandbox.media.accounts import Account, Accounts
from uscdr.sandbox.media.assets import Asset, Assets, Name, Version
from uscdr.sandbox.media.blobs import Blobs
from uscdr.sandbox.media.database import connect, transaction
from uscdr.sandbox.media.errors import MediaError, missing
from uscdr.sandbox.media.formats import Kind

_EXISTS = 409


class Library:
    """The books and the files of all clouds. One instance a thread; a silent one does not write effects down."""

    def __init__(self, root: Path, *, silent: bool = False) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root = root
        self._silent = silent
        self.connection = connect(root / "media.sqlite3")
        self.accounts = Accounts(self.connection)
        self.assets = Assets(self.connection)
        self.blobs = Blobs(root / "blobs")

    def close(self) -> None:
        """Close the books."""
        self.connection.close()

    def put(self, wanted: Asset, kind: Kind, *, etag: str, size: int, backup: bool | None = None) -> Asset:
        """Store content that is already among the blobs, under a new id or in the place of what is there.

        `backup` None leaves it to the cloud's switch. The asset keeps its immutable id and its place in lists.
        """
        with transaction(self.connection):
            account, old = self.accounts.get(wanted.name.cloud), self.assets.find(wanted.name)
            number = max(int(time.time()), old.version + 1 if old else 0)
            content = Version(number, size, etag, kind.format, kind.width, kind.height)
            asset = wanted.put(content)
            if old:
                asset = replace(asset, asset_id=old.asset_id, created_at=old.created_at)
            self.assets.save(asset)
            if _backed_up(account, wanted.public_id) if backup is None else backup:
                self.assets.back_up(asset, content)
            self._note("upload", asset.name)
        return asset

    def change(self, asset: Asset, action: str) -> Asset:
        """Store changed tags, context, metadata, folder or display name."""
        with transaction(self.connection):
            self.assets.save(asset)
            self._note(action, asset.name)
        return asset

    def delete(self, name: Name) -> bool:
        """Remove the bytes; with a backup the row stays as a placeholder. False if there was nothing."""
        with transaction(self.connection):
            asset = self.assets.find(name)
            if asset is None or asset.placeholder:
                return False
            if self.assets.versions(asset):
                self.assets.save(replace(asset, bytes=0, etag="", placeholder=True))
            else:
                self.assets.forget(asset)
            self._note("delete", name)
        return True

    def restore(self, asset: Asset | None, version_id: str | None) -> Asset | str:
        """Bring back a version, the latest when none is named; or say in a word why not.

        What came back is a version of its own, kept in the backup like the one it was taken from.
        """
        versions = self.assets.versions(asset) if asset else []
        if asset is None or not versions:
            return "no_backup"
        wanted = [one for one in versions if version_id in (None, one.version_id)]
        if not wanted:
            return "version_not_found"
        number = max(int(time.time()), asset.version + 1)
        with transaction(self.connection):
            old = wanted[-1]
            content = Version(number, old.bytes, old.etag, old.format, old.width, old.height)
            restored = asset.put(content)
            self.assets.save(restored)
            self.assets.back_up(restored, content)
            self._note("restore", asset.name)
        return restored

    def rename(self, name: Name, target: str, *, overwrite: bool) -> Asset:
        """Give an asset another public id. Raises 404, or 409 when that is taken."""
        with transaction(self.connection):
            asset = self.assets.find(name)
            if asset is None or asset.placeholder:
                raise missing(name.public_id)
            taken = self.assets.find(replace(name, public_id=target))
            if taken and not taken.placeholder and not overwrite:
                raise MediaError(_EXISTS, f"to_public_id({target}) already exists")
            if taken:
                self.assets.forget(taken)
            renamed = replace(asset, name=replace(name, public_id=target))
            self.assets.save(renamed)
            self._note("rename", renamed.name)
        return renamed

    def each(self, asset: Asset | None, change: Callable[[Asset], Asset], action: str) -> bool:
        """Apply a change to an asset that is there; false if it is not."""
        if asset is None or asset.placeholder:
            return False
        self.change(change(asset), action)
        return True

    def _note(self, action: str, name: Name) -> None:
        if self._silent:
            return
        statement = "INSERT INTO effects (cloud, action, resource_type, type, public_id) VALUES (?, ?, ?, ?, ?)"
        self.connection.execute(statement, [name.cloud, action, name.resource_type, name.type, name.public_id])

    def remember(self, name: Name, *, size: int, md5: str) -> None:
        """Write down what an asset was at the beginning, for whoever has to judge a recovery."""
        statement = "INSERT OR REPLACE INTO seeded VALUES (?, ?, ?, ?, ?, ?)"
        values = [name.cloud, name.resource_type, name.type, name.public_id, size, md5]
        self.connection.execute(statement, values)

    def truth(self, cloud: str) -> list[dict[str, Any]]:
        """What was remembered, with `backed_up`: whether the service's own backup still has those bytes."""
        query = """
            SELECT s.*, EXISTS (
                SELECT 1 FROM assets a JOIN versions v USING (asset_id) WHERE a.cloud = s.cloud AND a.type = s.type
                AND a.resource_type = s.resource_type AND a.public_id = s.public_id AND v.etag = s.md5) AS backed_up
            FROM seeded s WHERE s.cloud = ? ORDER BY resource_type, public_id"""
        return [dict(row) | {"backed_up": bool(row["backed_up"])} for row in self.connection.execute(query, [cloud])]

    def effects(self) -> list[dict[str, Any]]:
        """Every write that took effect, in order: what a client caused is read here."""
        return [dict(row) for row in self.connection.execute("SELECT * FROM effects ORDER BY number").fetchall()]


def _backed_up(account: Account, public_id: str) -> bool:
    if account.backup == "half":
        return hashlib.md5(public_id.encode(), usedforsecurity=False).digest()[0] % 2 == 0
    return account.backup == "on"
