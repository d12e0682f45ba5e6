"""The `Channel` port on files: an outbox that is always there, and a status page that a web server picks up.

Neither stores a recipient's address.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from uscdr.errors import WriteRefused
from uscdr.files import arriving, disk_errors, private_directory, whole, write_whole
from uscdr.words import escape, moment

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.providers.ports.notices import Letter

PUBLIC_FILE = 0o644
_LARGEST_PAGE = 1 << 20
_PAGE_ACTION = "Correct `path` of this channel, and make its directory writable."


class OutboxChannel:
    """A private directory with one text file for each letter, named by its id; a letter is written once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def send(self, letter: Letter, to: str = "") -> str:
        """Write the letter, unless it is there; the receipt is the file's name. Raises MachineError."""
        del to
        path = private_directory(self._directory) / f"{letter.id}.txt"
        if not path.is_file():
            write_whole(path, _as_text(letter).encode())
        return f"{self._directory.name}/{path.name}"

    def close(self) -> None:
        """Nothing stays open."""


class StatusFileChannel:
    """The newest letter as `path` (JSON) and beside it as text, replaced atomically and readable by everybody.

    The JSON is {id, subject, text, severity, updated_at}; times are ISO 8601 in UTC. `within`: in a drill, the only
    directory whose files may be replaced (`WriteRefused` for another): a real page must not tell of a rehearsal.
    """

    def __init__(self, path: Path, *, within: Path | None = None) -> None:
        if within is not None and not path.resolve().is_relative_to(within.resolve()):
            raise WriteRefused(
                "uscdr does not write the status page in a drill: its file is outside of the drill's directory.",
                provider="the status page",
            )
        self._path = path

    def send(self, letter: Letter, to: str = "") -> str:
        """Replace text and JSON, unless the JSON is this letter's. Raises MachineError."""
        del to
        if self._shown() != letter.id:
            now = datetime.now(UTC)
            page = {
                "id": letter.id, "subject": letter.subject, "text": letter.text, "severity": letter.severity,
                "updated_at": now.isoformat(timespec="seconds"),
            }  # fmt: skip
            with disk_errors(f"uscdr cannot write the status page {self._path}.", _PAGE_ACTION):
                _publish(self._path.with_suffix(".txt"), f"{_as_text(letter)}\nUpdated {moment(now)}\n".encode())
                _publish(self._path, json.dumps(page, indent=1).encode() + b"\n")
        return self._path.name

    def close(self) -> None:
        """Nothing stays open."""

    def _shown(self) -> str | None:
        """The id of the letter on the page; None if there is none, or another program's file."""
        try:
            page = json.loads(whole(self._path, _LARGEST_PAGE))
        except (OSError, ValueError, RecursionError):
            return None
        shown = page.get("id") if isinstance(page, dict) else None
        return shown if isinstance(shown, str) else None


def _publish(path: Path, data: bytes) -> None:
    """Raises OSError; the old file is then unchanged."""
    with arriving(path) as file:
        os.fchmod(file.fileno(), PUBLIC_FILE)
        file.write(data)


def _as_text(letter: Letter) -> str:
    text = escape("\n".join(letter.text.expandtabs().splitlines()), keep_newlines=True)
    return f"{letter.subject}\n\n{text}\n"
