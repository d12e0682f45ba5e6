"""`uscdr kit key`: the operator's key pair, made once and never overwritten."""

from __future__ import annotations

import io
import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from uscdr.cli import main
from uscdr.store.encryption import Identity, Recipient, seal, unseal

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("USCDR_AGE_IDENTITY", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "USCDR_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(capsys: Captured, *words: str, code: int = 0) -> tuple[str, str]:
    assert main.run(["kit", "key", *words]) == code
    said = capsys.readouterr()
    return said.out.strip(), said.err


def test_it_is_made_for_its_owner_alone_and_found_again(home: Path, capsys: Captured) -> None:
    public, said = asked(capsys)
    file = home / ".config" / "uscdr" / "identity.txt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "Made the private key" in said
    before = file.read_bytes()
    again, said = asked(capsys)
    assert (again, file.read_bytes()) == (public, before)
    assert "Found the private key" in said


def test_what_is_encrypted_to_the_printed_key_opens_with_the_file(home: Path, capsys: Captured) -> None:
    public, _ = asked(capsys, "own/identity.txt")
    sealed, opened = io.BytesIO(), io.BytesIO()
    seal(io.BytesIO(b"a record"), sealed, Recipient.read([public]))
    unseal(io.BytesIO(sealed.getvalue()), opened, Identity.read(home / "own" / "identity.txt"))
    assert opened.getvalue() == b"a record"


def test_the_private_key_is_never_shown(home: Path, capsys: Captured) -> None:
    for words in ((), ("--json",), ("-v",)):
        out, said = asked(capsys, *words)
        assert "SECRET" not in out + said


def test_the_variable_names_the_file(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("USCDR_AGE_IDENTITY", str(home / "mine.txt"))
    out, _ = asked(capsys, "--json")
    said = json.loads(out)
    assert (said["file"], said["created"]) == (str(home / "mine.txt"), True)
    assert Identity.read(home / "mine.txt")[0].public() == Recipient.read([said["public_key"]])[0]


@pytest.mark.parametrize("made", ["empty", "words", "directory", "link"])
def test_whatever_stands_there_stays(made: str, home: Path, capsys: Captured) -> None:
    place = home / "identity.txt"
    if made == "directory":
        place.mkdir()
    elif made == "link":
        place.symlink_to(home / "nowhere")
    else:
        place.write_text("" if made == "empty" else "my notes\n")
    out, said = asked(capsys, str(place), code=2)
    assert (out, "identity.txt" in said) == ("", True)
    assert not (home / "nowhere").exists()
    assert place.is_dir() or place.is_symlink() or place.read_text() in {"", "my notes\n"}


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")
def test_an_ssh_key_has_its_public_half_elsewhere(home: Path, capsys: Captured) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "id"], check=True, cwd=home)
    _, said = asked(capsys, "id", code=2)
    assert "ssh-keygen -y -f" in said


def test_a_key_in_a_checkout_is_warned_of(home: Path, capsys: Captured) -> None:
    subprocess.run(["git", "init", "-q", "."], check=True, cwd=home)
    _, said = asked(capsys, "identity.txt")
    assert "Warning:" in said


def test_a_directory_that_cannot_be_written_is_named(home: Path, capsys: Captured) -> None:
    (home / "file").write_text("")
    _, said = asked(capsys, "file/identity.txt", code=3)
    assert "file/identity.txt" in said
