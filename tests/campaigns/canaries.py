"""What must never be seen: secrets and patients' data, in every spelling, in output, files and processes."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self
from urllib.parse import quote, quote_plus

SHORTEST = 6
_SIGNED = re.compile(rb"/archives/[0-9a-fA-F-]+\.dump\?")
_EVERY = 0.01  # seconds between looks at the processes


class Canaries:
    """Named values that are looked for."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.spellings: dict[bytes, str] = {}
        for name, value in secrets.items():
            if len(value) >= SHORTEST:
                self._add(name, value)

    def _add(self, name: str, value: str) -> None:
        raw = value.encode()
        plain = (raw, quote(value, safe="").encode(), quote_plus(value).encode())
        # three alignments: a value inside a longer text is shifted in its base64
        coded = [base64.b64encode(b"\0" * shift + raw)[4 * (shift > 0) : -4] for shift in range(3)]
        escaped = value.encode("unicode_escape")
        for spelling in (*plain, *coded, escaped, raw.hex().encode()):
            if len(spelling) >= SHORTEST:
                self.spellings[spelling] = name

    def found(self, data: bytes) -> list[str]:
        """The names of what `data` holds."""
        names = {name for spelling, name in self.spellings.items() if spelling in data}
        if _SIGNED.search(data):
            names.add("signed URL")
        return sorted(names)

    def in_files(self, root: Path) -> list[str]:
        """Where below `root` (symlinks not followed) something is found, as `path: name`."""
        return [f"{path.relative_to(root)}: {name}" for path in files(root) for name in self.found(path.read_bytes())]


def files(root: Path) -> Iterator[Path]:
    """Every regular file below `root`; the sandbox is a symlink there and stays out."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


class Watch:
    """Looks at the command lines and environments of one process and its descendants while it lives."""

    def __init__(self, root: int, canaries: Canaries) -> None:
        self._root = root
        self._canaries = canaries
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.hits: set[str] = set()
        self.looks = 0
        self.children: set[int] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(_EVERY):
            self.looks += 1
            for pid in descendants(self._root):
                self.children.add(pid)
                for what in ("cmdline", "environ"):
                    self._check(pid, what)

    def _check(self, pid: int, what: str) -> None:
        comm = Path(f"/proc/{pid}/comm")
        try:
            name = comm.read_text().strip()
            data = Path(f"/proc/{pid}/{what}").read_bytes()
            if comm.read_text().strip() != name:  # a child that became its own program meanwhile: looked at again
                return
        except OSError:
            return
        self.hits.update(f"{what} of {name}: {canary}" for canary in self._canaries.found(data))


def parents() -> dict[int, int]:
    """Every process's parent."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(path.parent.name)] = int(fields[1])
    return found


def descendants(root: int) -> set[int]:
    """`root` and all that came from it."""
    table = parents()
    known = {root}
    grown = True
    while grown:
        more = {pid for pid, parent in table.items() if parent in known} - known
        known |= more
        grown = bool(more)
    return known


def named(texts: Iterable[str], prefix: str) -> dict[str, str]:
    """Values under numbered names."""
    return {f"{prefix} {number}": text for number, text in enumerate(texts, start=1)}
