"""Where the token comes from."""

import os
import time
from pathlib import Path

import pytest

from uscdr.errors import CredentialsRefused
from uscdr.providers.heroku.token import find_token

NETRC = (
    "machine git.heroku.com\n  login o\n  password other\nmachine api.heroku.com\n  login o\n  password HRKU-netrc\n"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    return tmp_path


def env(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "PATH": f"{home}/bin:/usr/bin:/bin", **more}


def client(home: Path, script: str) -> None:
    program = home / "bin" / "heroku"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def netrc(home: Path, text: str = NETRC, mode: int = 0o600) -> Path:
    path = home / ".netrc"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_environment_comes_first(home: Path) -> None:
    client(home, "echo HRKU-client")
    netrc(home)
    found = find_token(env(home, HEROKU_API_KEY="HRKU-env\n"))
    assert (found.value.get_secret_value(), found.source) == ("HRKU-env", "HEROKU_API_KEY")
    assert "HRKU" not in repr(found)


def test_then_the_official_client(home: Path) -> None:
    client(
        home, '[ "$1" = auth:token ] || exit 9\n[ -z "$DATABASE_URL" ] || exit 8\necho warning >&2\necho HRKU-client'
    )
    netrc(home)
    found = find_token(env(home, DATABASE_URL="postgres://canary"))
    assert (found.value.get_secret_value(), found.source) == ("HRKU-client", "heroku auth:token")


def test_then_netrc(home: Path) -> None:
    client(home, "echo 'Error: not logged in' >&2; exit 100")
    path = netrc(home)
    found = find_token(env(home))
    assert (found.value.get_secret_value(), found.source, found.note) == ("HRKU-netrc", str(path), "")


def test_a_netrc_that_others_can_read_is_used_with_a_note(home: Path) -> None:
    path = netrc(home, mode=0o644)
    assert f"chmod 600 {path}" in find_token(env(home)).note


def test_a_client_that_hangs_is_ended_with_its_children(home: Path) -> None:
    client(home, f"sleep 300 &\necho $! > {home}/child\nwait")
    netrc(home)
    before = time.monotonic()
    assert find_token(env(home), client_seconds=0.5).value.get_secret_value() == "HRKU-netrc"
    assert time.monotonic() - before < 60
    child = int((home / "child").read_text())
    assert _gone(child)


def _gone(pid: int) -> bool:
    """Wait for init to collect it, or see it dead."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (ProcessLookupError, FileNotFoundError):
            return True
        if stat.rpartition(")")[2].split()[0] == "Z":
            return True
    return False


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("machine api.heroku.com\n  login o\n  passwort canary-secret\n", "line 3 is malformed"),
        ("machine example.org\n  login o\n  password canary-secret\n", "no token for api.heroku.com"),
        ("machine api.heroku.com login o\n", "no token for api.heroku.com|is malformed"),
    ],
)
def test_a_useless_netrc_is_explained_without_quoting_it(text: str, reason: str, home: Path) -> None:
    netrc(home, text)
    with pytest.raises(CredentialsRefused) as caught:
        find_token(env(home))
    import re

    assert re.search(reason, caught.value.why)
    assert "canary" not in f"{caught.value!r} {vars(caught.value)}"


def test_a_netrc_that_is_no_text(home: Path) -> None:
    (home / ".netrc").write_bytes(b"\xff\xfe\x00machine")
    with pytest.raises(CredentialsRefused, match="uscdr found no Heroku token"):
        find_token(env(home))


def test_a_netrc_without_an_end_is_not_read_to_it(home: Path) -> None:
    with netrc(home).open("r+b") as file:
        file.truncate(6 << 30)
    with pytest.raises(CredentialsRefused) as caught:
        find_token(env(home))
    assert ".netrc cannot be read: it is larger than 1,048,576 bytes" in caught.value.why


def test_every_place_is_named_when_there_is_no_token(home: Path) -> None:
    with pytest.raises(CredentialsRefused) as caught:
        find_token(env(home, HEROKU_API_KEY="two words"))
    assert "HEROKU_API_KEY does not contain a valid token" in caught.value.why
    assert "CLI is not installed" in caught.value.why
    assert ".netrc does not exist" in caught.value.why
    assert "heroku auth:token" in caught.value.next_action
    assert caught.value.sent is False


def test_a_client_that_cannot_be_started(home: Path) -> None:
    program = home / "bin" / "heroku"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    with pytest.raises(CredentialsRefused) as caught:
        find_token(env(home))
    assert "returned no token: not logged in" in caught.value.why
