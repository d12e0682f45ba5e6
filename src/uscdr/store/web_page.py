"""One public page of the operator, overwritten with each notice: a file of a web space, or an object of a bucket.

Unlike an object of a store it is replaced, holds nothing secret, and everybody may read it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from uscdr.errors import MachineError
from uscdr.files import arriving, disk_errors
from uscdr.store.store import ChecksumRefused, StoreRefused

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.store.bucket import Handles

CONTENT_TYPE, CACHE_CONTROL = "text/html; charset=utf-8", "no-cache"
"""`no-cache`: a cache asks whether the page changed before it shows it again."""
_EVERYBODY_READS = 0o644


class DirectoryPage:
    """A file in a directory that a web server serves, or that is synchronised to one."""

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory.absolute() / name

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self._path)

    def replace(self, html: str) -> None:
        """Replace the file atomically, readable by everybody.

        Raises MachineError; the old page is then unchanged. Creates no directory: below an absent mount, nobody would
        see the page.
        """
        if not self._path.parent.is_dir():
            raise MachineError(
                f"uscdr cannot write the page: there is no directory {self._path.parent}.",
                next_action="Mount or create it, or correct `maintenance_page.to` in scenarios.yaml.",
            )
        fix = "Fix the permissions or free disk space, or correct `maintenance_page.to` in scenarios.yaml."
        with disk_errors(f"uscdr cannot write {self._path}.", fix), arriving(self._path) as file:
            file.write(html.encode())
            os.fchmod(file.fileno(), _EVERYBODY_READS)


class BucketPage:
    """An object of a bucket, with the type and the cache rule that browsers need."""

    def __init__(self, folder: str, handles: Handles, name: str) -> None:
        self._folder = folder
        self._handles = handles
        self._name = name

    @property
    def place(self) -> str:
        """`s3://bucket/prefix/name`."""
        return f"{self._folder}/{self._name}"

    def replace(self, html: str) -> None:
        """Overwrite the object with one request; a lost answer is asked for again.

        Raises StoreRefused, StoreUnreachable (both MachineError).
        """
        try:
            self._put(self._handles, html)
        except ChecksumRefused:
            if self._handles.with_md5 is None:
                raise
            self._put(self._handles.with_md5, html)

    def _put(self, handles: Handles, html: str) -> None:
        import obstore

        from uscdr.store.errors import explained

        about = {"Content-Type": CONTENT_TYPE, "Cache-Control": CACHE_CONTROL}
        try:
            with explained(self._folder):
                # The same bytes each time: `quick` may send them again after a lost answer.
                obstore.put(handles.quick, self._name, html.encode(), attributes=about, use_multipart=False)
        except FileNotFoundError:
            raise StoreRefused(
                f"{self._folder} does not take the page: it does not exist.",
                next_action="Create the bucket, or correct `maintenance_page.to` in scenarios.yaml.",
            ) from None
