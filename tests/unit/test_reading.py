"""Files that somebody else made: whatever is no file ends at once with words for it."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from uscdr.files import NotAFile, exposure, opened, whole


def pipe(path: Path) -> None:
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.mkdir()


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's name is short
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


def to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (pipe, "it is a named pipe"),
        (directory, "it is a directory"),
        (unix_socket, "it is a socket"),
        (to_zeros, "it is a device"),
        (to_a_pipe, "it is a named pipe"),
    ],
)
def test_what_is_no_file_is_said_at_once(make: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "found"
    make(path)  # type: ignore[operator]
    for read in (opened, lambda one: whole(one, 100)):
        with pytest.raises(NotAFile) as refused:
            read(path)
        assert words in (refused.value.strerror or "")


def test_a_file_is_read_whole_and_no_further_than_allowed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    assert whole(path, 100) == b"x" * 100
    with pytest.raises(NotAFile, match="it is larger than 99 bytes"):
        whole(path, 99)
    with opened(path) as file:
        assert file.read() == b"x" * 100
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "none")


def test_a_link_is_followed_only_where_one_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    link = tmp_path / "link"
    link.symlink_to("file")
    assert whole(link, 100) == b"content"
    with pytest.raises(NotAFile, match="it is a symbolic link"):
        whole(link, 100, links=False)
    with pytest.raises(NotAFile, match="it is a symbolic link"):
        opened(link, links=False)


def test_a_pipe_of_the_shell_is_read_to_its_end() -> None:
    """`--identity <(age -d …)`: the key never lies on the disk."""
    program = "import sys; from pathlib import Path; from uscdr.files import whole; print(whole(Path(sys.argv[1]), 50))"
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} <(printf one; sleep 0.1; printf two)"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=30)
    assert ended.stdout == "b'onetwo'\n"


def test_a_pipe_that_gives_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uscdr.files.PIPE_SECONDS", 0.05)
    reading, writing = os.pipe()
    try:
        with pytest.raises(NotAFile, match="no data arrived through this pipe for"):
            whole(Path(f"/dev/fd/{reading}"), 10)
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize(
    ("mode", "said"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o620, True)]
)
def test_a_secret_that_others_may_read_is_told_of(mode: int, said: bool, tmp_path: Path) -> None:
    path = tmp_path / "identity.txt"
    path.touch()
    path.chmod(mode)
    assert exposure(path) == (f"Other users can read {path}. Run: chmod 600 {path}" if said else "")
