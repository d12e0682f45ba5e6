"""A dyno's own disk: a copy of the slug that goes with the dyno, so that nothing it writes reaches another."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

_BYTECODE = "__pycache__"


def copy(slug: Path, name: str) -> Path:
    """A private tree beside the slug; files are hard links, so it is made in milliseconds.

    New and replaced files stay in the copy. A program that rewrites a file of the slug in place would be seen by all.
    """
    target = slug.with_name(f"{slug.name}.{name}")
    shutil.copytree(slug, target, symlinks=True, copy_function=os.link)
    return target


def remove(directory: Path, *, slug: Path) -> None:
    """Remove a copy. What its interpreter compiled is kept for those to come: it is the same for all."""
    for compiled in list(directory.rglob(_BYTECODE)):
        kept = slug / compiled.relative_to(directory)
        if kept.parent.is_dir() and not kept.exists():
            with contextlib.suppress(OSError):
                compiled.rename(kept)
    shutil.rmtree(directory, ignore_errors=True)
