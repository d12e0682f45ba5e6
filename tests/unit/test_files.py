"""Private files that are whole or not there, private directories, and the mark of one that is in use."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from uscdr.errors import MachineError
from uscdr.files import _occupy, clear_away, new_file, private_directory, publish, write_whole


@contextmanager
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_directory_is_made_private_with_all_above_it_that_are_new(tmp_path: Path) -> None:
    with open_umask():
        made = private_directory(tmp_path / "a" / "b")
    assert [mode(place) for place in (made, made.parent)] == [0o700, 0o700]
    made.chmod(0o755)
    private_directory(made)
    assert mode(made) == 0o700


def test_a_place_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing")):
        with pytest.raises(MachineError) as refused:
            private_directory(place)
        assert refused.value.why
        assert "USCDR_STATE_DIR" in refused.value.next_action


def test_a_file_is_replaced_whole_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "note"
    path.write_bytes(b"earlier")
    path.chmod(0o644)
    with open_umask():
        write_whole(path, b"later")
    assert path.read_bytes() == b"later"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_made_durable_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "note"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineError, match=r"cannot write .*note") as refused:
        write_whole(path, b"later", "Make room.")
    assert (refused.value.why, refused.value.next_action) == ("No space left on device", "Make room.")
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_both_the_file_and_its_name_are_made_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = list[int]()
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    write_whole(tmp_path / "note", b"x")
    assert synced == [(tmp_path / "note").stat().st_ino, tmp_path.stat().st_ino]


def test_a_new_file_is_private_and_never_another_one(tmp_path: Path) -> None:
    with open_umask(), new_file(tmp_path / "key") as file:
        file.write(b"secret")
    assert mode(tmp_path / "key") == 0o600
    with pytest.raises(FileExistsError):
        new_file(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == b"secret"


def test_a_directory_is_in_use_while_its_process_lives(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with _occupy(place):
        clear_away(tmp_path)
        assert place.exists()
    script = f"from pathlib import Path\nfrom uscdr.files import _occupy\nc = _occupy(Path({str(place)!r}))\n"
    script += "c.__enter__(); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        clear_away(tmp_path)
        assert place.exists()
        process.kill()
    clear_away(tmp_path)
    assert not place.exists()


def test_what_a_person_named_is_written_whole_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.xml").symlink_to(tmp_path / "real" / "r.xml")
    for text in (b"first", b"second"):
        publish(tmp_path / "link.xml", text, "")
        assert (tmp_path / "real" / "r.xml").read_bytes() == text
    assert (tmp_path / "link.xml").is_symlink()
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["r.xml"]


def test_a_pipe_stays_a_pipe_and_a_device_a_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    publish(tmp_path / "pipe", b"text", "")
    assert os.read(reader, 100) == b"text"
    os.close(reader)
    publish(Path("/dev/null"), b"text", "")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(MachineError, match="cannot write /dev/full") as refused:
        publish(Path("/dev/full"), b"text", "Look at the journal.")
    assert (refused.value.why, refused.value.next_action) == ("No space left on device", "Look at the journal.")


def test_a_full_disk_leaves_what_stood_there(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path; from uscdr.files import publish\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: publish(Path(sys.argv[1]), b'x' * 5000, '')\n"
        "except Exception as error: print(error, error.why)"
    )
    (tmp_path / "r.xml").write_text("before")
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "r.xml"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"uscdr cannot write {tmp_path}/r.xml. File too large\n"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("r.xml", "before")]
