"""The repository that the app's code comes from, as its developers' git host keeps it.

Commits are written with `git fast-import`: one process, no working tree, the same ids for the same content.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from uscdr.errors import MachineError
from uscdr.sandbox.gitrepository import git_environment

MAIN = "main"
_AUTHOR = "A Developer <developer@usc-pis.example>"
_FIRST = 1_790_000_000  # seconds since 1970 of the first commit; one an hour follows
_HOUR = 3600
_CONFIG = "[gc]\n\tauto = 0\n[uploadpack]\n\tallowAnySHA1InWant = true\n"


@dataclass(frozen=True)
class File:
    """One file of a tree; `mode` is git's: 100644, 100755 or 120000."""

    path: str
    content: bytes
    mode: str = "100644"


class Origin:
    """A bare repository. The calls block for some tens of milliseconds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._number = 0

    def create(self) -> None:
        """Make it, with no commit yet. Raises MachineError without git."""
        if shutil.which("git") is None:
            raise MachineError("The sandbox needs git.", next_action="Install git and try again.")
        self._run("init", "--quiet", "--bare", f"--initial-branch={MAIN}", "--template=", str(self.path))
        with (self.path / "config").open("a", encoding="utf-8") as file:
            file.write(_CONFIG)

    def commit(self, branch: str, message: str, files: Iterable[File], *, parent: str = "") -> str:
        """Put `files` on top of `parent` (a commit; none: an empty tree) and return the new tip of `branch`."""
        self._number += 1
        command = ["git", "-C", str(self.path), "fast-import", "--quiet", "--force"]
        with subprocess.Popen(command, env=git_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as git:
            if git.stdin is None or git.stdout is None:
                raise RuntimeError("started without pipes")
            for piece in _stream(branch, message, files, parent=parent, when=_FIRST + self._number * _HOUR):
                git.stdin.write(piece)
            git.stdin.close()
            identity = git.stdout.readline().decode().strip()
        if git.returncode != 0 or not identity:
            raise OSError(f"git fast-import ended with status {git.returncode}")
        return identity

    def edit(self, branch: str, message: str, changes: Mapping[str, bytes], *, parent: str) -> str:
        """A commit that writes these files, keeping all others of `parent`."""
        return self.commit(branch, message, (File(path, content) for path, content in changes.items()), parent=parent)

    def tip(self, ref: str = MAIN) -> str:
        """The commit of a branch."""
        return self._git("rev-parse", "--verify", f"{ref}^{{commit}}").decode().strip()

    def read(self, commit: str, path: str) -> str:
        """One file's text."""
        return self._git("show", f"{commit}:{path}").decode()

    def paths(self, commit: str) -> list[str]:
        """Every file of a commit."""
        return self._git("ls-tree", "-r", "--name-only", "-z", commit).decode().strip("\0").split("\0")

    def archive(self, commit: str, target: Path) -> None:
        """Write a commit's tree as a gzipped tarball (0600)."""
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self._git("archive", "--format=tar.gz", "-1", commit))

    def _git(self, *arguments: str) -> bytes:
        return self._run("-C", str(self.path), *arguments)

    @staticmethod
    def _run(*arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], env=git_environment(), check=True, capture_output=True).stdout


def _stream(branch: str, message: str, files: Iterable[File], *, parent: str, when: int) -> Iterator[bytes]:
    who = f"{_AUTHOR} {when} +0000\n"
    yield f"commit refs/heads/{branch}\nmark :1\nauthor {who}committer {who}".encode()
    yield _data(message.encode())
    yield f"from {parent}\n".encode() if parent else b"deleteall\n"
    for one in files:
        yield f"M {one.mode} inline {_quoted(one.path)}\n".encode("utf-8", "surrogateescape")
        yield _data(one.content)
    yield b"get-mark :1\n"


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _quoted(path: str) -> str:
    if not path.startswith('"') and "\n" not in path:
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
