"""Files by their content: the MD5 digest, which the service tells as `etag`, is the name."""

from __future__ import annotations

import hashlib
import os
from mmap import mmap
from pathlib import Path
from uuid import uuid4

Content = bytes | memoryview | mmap
_STEP = 1024 * 1024


class Blobs:
    """A directory of files; nothing in it is ever changed or removed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, etag: str) -> Path:
        """Where the content with this digest is."""
        return self._root / etag[:2] / etag

    def add(self, content: Content) -> str:
        """Keep `content`; returns its MD5 in hex."""
        view = memoryview(content)
        try:
            digest = hashlib.md5(view, usedforsecurity=False).hexdigest()
            target = self.path(digest)
            if not target.exists():
                self._write(view, target)
        finally:
            view.release()
        return digest

    def adopt(self, file: Path) -> str:
        """Keep a file of our own by moving it here; returns its MD5 in hex."""
        digest = hashlib.md5(usedforsecurity=False)
        with file.open("rb") as source:
            while step := source.read(_STEP):
                digest.update(step)
        target = self.path(digest.hexdigest())
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.replace(target)
        return digest.hexdigest()

    def _write(self, view: memoryview, target: Path) -> None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = target.with_name(f"{uuid4().hex}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(view)
        temporary.replace(target)
