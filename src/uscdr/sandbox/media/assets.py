"""The rows behind the service's answers: assets and their versions in the backup."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from uscdr.sandbox.media.database import Connection, Row

RESOURCE_TYPES = ("image", "raw", "video")
ACTIVE = " AND placeholder = 0"
_JSON = ("context", "metadata", "access_control")
_COLUMNS = (
    "asset_id", "cloud", "resource_type", "type", "public_id", "format", "version", "bytes", "etag", "width", "height",
    "created_at", "tags", "context", "metadata", "asset_folder", "display_name", "original_filename", "placeholder",
    "access_mode", "access_control",
)  # fmt: skip
_NAMED = "cloud = ? AND resource_type = ? AND type = ?"


def now() -> str:
    """The time as the service writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Name:
    """What names an asset: the cloud, two kinds of type, and the public id."""

    cloud: str
    resource_type: str
    type: str
    public_id: str


@dataclass(frozen=True)
class Asset:
    """One asset. `etag` is the MD5 of its bytes; a placeholder has neither bytes nor digest."""

    name: Name
    format: str = ""
    version: int = 0
    bytes: int = 0
    etag: str = ""
    width: int = 0
    height: int = 0
    tags: tuple[str, ...] = ()
    context: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    asset_folder: str = ""
    display_name: str = ""
    original_filename: str = ""
    access_mode: str = "public"
    access_control: tuple[dict[str, str], ...] = ()
    placeholder: bool = False
    created_at: str = field(default_factory=now)
    asset_id: str = field(default_factory=lambda: secrets.token_hex(16))
    position: int = 0

    @property
    def public_id(self) -> str:
        """The id within its cloud and types."""
        return self.name.public_id

    @property
    def resource_type(self) -> str:
        """image, raw or video."""
        return self.name.resource_type

    @property
    def open(self) -> bool:
        """Whether anybody who knows the address may have it now."""
        rules = [rule for rule in self.access_control if rule.get("access_type") == "anonymous"]
        if self.access_control:
            return any(rule.get("start", "") <= now() <= rule.get("end", "9999") for rule in rules)
        return self.access_mode == "public"

    def put(self, content: Version) -> Asset:
        """The asset with other bytes."""
        return replace(
            self,
            version=content.version,
            bytes=content.bytes,
            etag=content.etag,
            format=content.format,
            width=content.width,
            height=content.height,
            placeholder=False,
        )


@dataclass(frozen=True)
class Version:
    """One version in the backup; `version` is in seconds since the epoch."""

    version: int
    bytes: int
    etag: str
    format: str
    width: int = 0
    height: int = 0
    time: str = field(default_factory=now)
    version_id: str = field(default_factory=lambda: secrets.token_hex(16))


class Assets:
    """Both tables."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, name: Name) -> Asset | None:
        """One asset, a placeholder too."""
        values = (name.cloud, name.resource_type, name.type, name.public_id)
        return self._one(f"{_NAMED} AND public_id = ?", *values)

    def find_id(self, cloud: str, asset_id: str) -> Asset | None:
        """One asset by its immutable id."""
        return self._one("cloud = ? AND asset_id = ?", cloud, asset_id)

    def _one(self, where: str, *values: str) -> Asset | None:
        row = self._connection.execute(f"SELECT * FROM assets WHERE {where}", values).fetchone()  # noqa: S608 - ours
        return _asset(row) if row else None

    def select(self, where: str, values: Iterable[object], *, order: str, limit: int) -> list[Asset]:
        """The assets that meet a condition of ours; its values are always bound."""
        query = f"SELECT * FROM assets WHERE {where} ORDER BY {order} LIMIT {limit:d}"  # noqa: S608 - ours
        return [_asset(row) for row in self._connection.execute(query, tuple(values)).fetchall()]

    def newest(self, cloud: str, resource_type: str, start: int, limit: int) -> tuple[list[Asset], int]:
        """A page of those with bytes, the newest first, and how many there are."""
        where, values = f"cloud = ? AND resource_type = ?{ACTIVE}", (cloud, resource_type)
        total = self._connection.execute(f"SELECT count(*) FROM assets WHERE {where}", values).fetchone()[0]  # noqa: S608 - ours
        order = f"created_at DESC, position LIMIT {limit:d} OFFSET {start:d}"
        query = f"SELECT * FROM assets WHERE {where} ORDER BY {order}"  # noqa: S608 - ours
        return [_asset(row) for row in self._connection.execute(query, values).fetchall()], int(total)

    def every(self, cloud: str) -> Iterator[Asset]:
        """All of a cloud, in the order of their creation, one at a time."""
        for row in self._connection.execute("SELECT * FROM assets WHERE cloud = ? ORDER BY position", [cloud]):
            yield _asset(row)

    def totals(self, cloud: str) -> tuple[int, int]:
        """Assets with bytes, and their bytes."""
        query = "SELECT count(*) AS n, coalesce(sum(bytes), 0) AS b FROM assets WHERE cloud = ? AND placeholder = 0"
        row = self._connection.execute(query, [cloud]).fetchone()
        return int(row["n"]), int(row["b"])

    def save(self, asset: Asset) -> None:
        """Insert it, or replace the row with its id."""
        columns = ", ".join(_COLUMNS)
        marks = ", ".join("?" for _ in _COLUMNS)
        changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
        statement = f"INSERT INTO assets ({columns}) VALUES ({marks}) ON CONFLICT (asset_id) DO UPDATE SET {changes}"  # noqa: S608 - names of ours
        self._connection.execute(statement, _values(asset))

    def forget(self, asset: Asset) -> None:
        """Remove its row."""
        self._connection.execute("DELETE FROM assets WHERE asset_id = ?", [asset.asset_id])

    def versions(self, asset: Asset) -> list[Version]:
        """Its versions in the backup, the oldest first."""
        query = "SELECT * FROM versions WHERE asset_id = ? ORDER BY version"
        return [_version(row) for row in self._connection.execute(query, [asset.asset_id]).fetchall()]

    def back_up(self, asset: Asset, version: Version) -> None:
        """Add a version."""
        names = "version_id, asset_id, version, bytes, etag, format, width, height, time"
        values = (
            version.version_id, asset.asset_id, version.version, version.bytes, version.etag, version.format,
            version.width, version.height, version.time,
        )  # fmt: skip
        statement = f"INSERT INTO versions ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - names of ours
        self._connection.execute(statement, values)

    def drop_versions(self, asset: Asset, version_ids: Iterable[str] | None = None) -> int:
        """Remove versions from the backup, all of them when none is named; returns how many."""
        wanted = [one.version_id for one in self.versions(asset)] if version_ids is None else list(version_ids)
        statement = "DELETE FROM versions WHERE asset_id = ? AND version_id = ?"
        return sum(self._connection.execute(statement, [asset.asset_id, one]).rowcount for one in wanted)


def _values(asset: Asset) -> list[object]:
    values = {**vars(asset), **vars(asset.name), "tags": ",".join(asset.tags)}
    return [json.dumps(values[name]) if name in _JSON else values[name] for name in _COLUMNS]


def _asset(row: Row) -> Asset:
    plain = {name: row[name] for name in _COLUMNS if name not in {"cloud", "resource_type", "type", "public_id"}}
    plain["tags"] = tuple(one for one in row["tags"].split(",") if one)
    plain["placeholder"] = bool(row["placeholder"])
    plain |= {name: json.loads(row[name]) for name in _JSON}
    plain["access_control"] = tuple(plain["access_control"])
    name = Name(row["cloud"], row["resource_type"], row["type"], row["public_id"])
    return Asset(name=name, position=row["position"], **plain)


def _version(row: Row) -> Version:
    names = ("version", "bytes", "etag", "format", "width", "height", "time", "version_id")
    return Version(**{name: row[name] for name in names})
