"""The clinic's stored files: which names its database holds, and an asset for each."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from uscdr.sandbox.media import samples
from uscdr.sandbox.media.assets import Asset, Name
from uscdr.sandbox.media.database import transaction
from uscdr.sandbox.media.formats import HEAD, Kind, recognise
from uscdr.sandbox.media.library import Library

_TAG = "usc-pis"
_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp"})
_UPLOADS = "uploads/many/"
_COLUMNS = (
    ("file_uploads_uploadedfile", "file", "file_size"),
    ("file_uploads_patientdocument", "file", "file_size"),
    ("health_info_healthcampaign", "banner_image", ""),
    ("health_info_healthcampaign", "pubmat_image", ""),
    ("health_info_healthcampaign", "thumbnail_image", ""),
    ("health_info_campaigntemplate", "banner_image", ""),
    ("health_info_campaigntemplate", "thumbnail_image", ""),
    ("health_info_healthinformationimage", "image", ""),
    ("health_info_campaignresource", "file", ""),
    ("reports_generatedreport", "file_path", ""),
)
_LINKED = ("xray_images", "photos", "documents")
_LINKS = """
SELECT DISTINCT split_part(link, '/upload/v1/', 2)
FROM patients_dentalrecord, jsonb_array_elements_text({}::jsonb) AS link
WHERE link LIKE '%/upload/v1/%'"""


@dataclass(frozen=True)
class Stored:
    """A name in the database; `size` is the file's size in bytes as far as the row tells it, else 0.

    `delivery` is the media service's word for who may have it.
    """

    name: str
    size: int = 0
    delivery: str = "upload"

    @property
    def is_image(self) -> bool:
        """Whether the application delivers it as an image."""
        return posixpath.splitext(self.name)[1].lower() in _IMAGES

    @property
    def public_id(self) -> str:
        """Its id in the media service: an image's has no extension."""
        return posixpath.splitext(self.name)[0] if self.is_image else self.name

    def content(self) -> bytes:
        """Synthetic bytes; a row that tells no size gets between 4 and 12 kB."""
        return samples.content(self.name, self.size or 4000 + _number(self.name) % 8000)


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def stored_names(dsn: str) -> list[Stored]:
    """Every stored name in the clinic's database, once."""
    found: dict[str, Stored] = {}
    with psycopg.connect(dsn) as connection:
        for table, column, size in _COLUMNS:
            wanted = sql.Identifier(size) if size else sql.Literal(0)
            query = sql.SQL("SELECT {c}, {s} FROM {t} WHERE {c} <> ''")
            parts = {"c": sql.Identifier(column), "s": wanted, "t": sql.Identifier(table)}
            for name, length in connection.execute(query.format(**parts)).fetchall():
                found.setdefault(str(name), Stored(str(name), int(length)))
        for column in _LINKED:
            for (name,) in connection.execute(sql.SQL(_LINKS).format(sql.Identifier(column))).fetchall():
                found.setdefault(str(name), Stored(str(name)))
    return list(found.values())


def add_uploads(dsn: str, count: int) -> None:
    """Rows for `count` further uploads of about 20 kB each, three pictures to one document."""
    copy = "COPY file_uploads_uploadedfile (file, original_filename, content_type, file_size, description, created_at)"
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        made = cursor.execute("SELECT now()").fetchone()
        with cursor.copy(f"{copy} FROM STDIN") as rows:
            for number in range(1, count + 1):
                suffix, kind = ("pdf", "application/pdf") if number % 4 == 0 else ("jpg", "image/jpeg")
                name = f"upload_{number:05}.{suffix}"
                size = 12_000 + _number(name) % 16_000
                rows.write_row((_UPLOADS + name, name, kind, size, "", made[0] if made else None))


def seed(root: Path, cloud: str, stored: Iterable[Stored]) -> int:
    """Put a file behind every name that has none yet; returns how many. Runs in a thread of its own."""
    library, done = Library(root, silent=True), 0
    try:
        with transaction(library.connection):
            for one in stored:
                done += _put(library, cloud, one)
    finally:
        library.close()
    return done


def _put(library: Library, cloud: str, stored: Stored) -> bool:
    name = Name(cloud, "image" if stored.is_image else "raw", stored.delivery, stored.public_id)
    if library.assets.find(name):
        return False
    content = stored.content()
    kind = recognise(content[:HEAD])
    if not stored.is_image:
        kind = Kind(posixpath.splitext(stored.name)[1].removeprefix(".").lower())
    folder, base = posixpath.split(stored.public_id)
    original = posixpath.splitext(posixpath.basename(stored.name))[0]
    asset = Asset(name, tags=(_TAG,), asset_folder=folder, display_name=base, original_filename=original)
    etag = library.blobs.add(content)
    library.put(asset, kind, etag=etag, size=len(content))
    library.remember(name, size=len(content), md5=etag)
    return True
