"""The media service's books: one SQLite file, one connection a thread that works on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Row = sqlite3.Row
Connection = sqlite3.Connection

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    cloud TEXT PRIMARY KEY, api_key TEXT NOT NULL, api_secret TEXT NOT NULL, enabled INTEGER NOT NULL DEFAULT 1,
    backup TEXT NOT NULL DEFAULT 'on', folder_mode TEXT NOT NULL DEFAULT 'dynamic',
    algorithm TEXT NOT NULL DEFAULT 'sha1', quota_limit INTEGER NOT NULL, quota_window INTEGER NOT NULL,
    quota_used INTEGER NOT NULL DEFAULT 0, quota_ends INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS assets (
    position INTEGER PRIMARY KEY AUTOINCREMENT, asset_id TEXT UNIQUE NOT NULL, cloud TEXT NOT NULL,
    resource_type TEXT NOT NULL, type TEXT NOT NULL, public_id TEXT NOT NULL, format TEXT NOT NULL,
    version INTEGER NOT NULL, bytes INTEGER NOT NULL, etag TEXT NOT NULL, width INTEGER NOT NULL,
    height INTEGER NOT NULL, created_at TEXT NOT NULL, tags TEXT NOT NULL, context TEXT NOT NULL,
    metadata TEXT NOT NULL, asset_folder TEXT NOT NULL, display_name TEXT NOT NULL,
    original_filename TEXT NOT NULL, placeholder INTEGER NOT NULL,
    access_mode TEXT NOT NULL, access_control TEXT NOT NULL,
    UNIQUE (cloud, resource_type, type, public_id));
CREATE TABLE IF NOT EXISTS versions (
    version_id TEXT PRIMARY KEY, asset_id TEXT NOT NULL, version INTEGER NOT NULL, bytes INTEGER NOT NULL,
    etag TEXT NOT NULL, format TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, time TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS versions_of ON versions (asset_id, version);
CREATE TABLE IF NOT EXISTS chunks (
    upload TEXT NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (upload, start));
CREATE TABLE IF NOT EXISTS folders (cloud TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (cloud, path));
CREATE TABLE IF NOT EXISTS metadata_fields (
    cloud TEXT NOT NULL, external_id TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (cloud, external_id));
CREATE TABLE IF NOT EXISTS seeded (
    cloud TEXT NOT NULL, resource_type TEXT NOT NULL, type TEXT NOT NULL, public_id TEXT NOT NULL,
    bytes INTEGER NOT NULL, md5 TEXT NOT NULL, PRIMARY KEY (cloud, resource_type, type, public_id));
CREATE TABLE IF NOT EXISTS effects (
    number INTEGER PRIMARY KEY AUTOINCREMENT, cloud TEXT NOT NULL, action TEXT NOT NULL,
    resource_type TEXT NOT NULL, type TEXT NOT NULL, public_id TEXT NOT NULL);
"""


def connect(path: Path) -> Connection:
    """A connection in autocommit mode. Nothing is synced to the disk: the books end with the sandbox."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.row_factory = sqlite3.Row
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + _SCHEMA)
    return connection


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All or nothing; inside another transaction it is part of that one."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
