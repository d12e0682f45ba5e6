"""What a process inherits is made harmless before anything is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from psycopg.pq import Conninfo


def prepared(line: str, then: str, **env: str) -> str:
    """What `then` prints in a prepared process that a shell started with `line`."""
    program = f"import os, signal, resource\nfrom uscdr.cli.main import prepare\nprepare()\n{then}"
    done = subprocess.run(
        ["bash", "-c", f'{line}; exec "$0" -c "$1"', sys.executable, program],
        capture_output=True, text=True, check=True, timeout=60, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize("mask", ["000", "022", "777"])
def test_what_it_makes_is_the_operators_alone_and_open_to_him(mask: str, tmp_path: Path) -> None:
    then = f"open('{tmp_path}/a', 'w').close(); os.mkdir('{tmp_path}/b')"
    prepared(f"umask {mask}", then)
    assert [oct((tmp_path / name).stat().st_mode & 0o777) for name in "ab"] == ["0o600", "0o700"]


def test_a_low_limit_of_open_files_is_raised_as_far_as_one_may() -> None:
    ask = "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    assert prepared("ulimit -S -n 40; ulimit -H -n 900", ask) == "900 900"
    assert prepared("ulimit -n 50", ask) == "50 50"


def test_places_that_would_be_others_in_each_directory_count_as_not_set() -> None:
    names = "'HOME', 'XDG_STATE_HOME', 'XDG_CONFIG_HOME'"
    then = f"print([os.environ.get(name) for name in ({names})])"
    env = {"HOME": "home", "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": "/etc/xdg"}
    assert prepared(":", then, **env) == "[None, None, '/etc/xdg']"


def test_a_database_is_where_its_url_says_and_its_sessions_begin_as_we_say() -> None:
    """Whatever the shell has for another one, in every variable that the client library knows."""
    names = [one.envvar.decode() for one in Conninfo.get_defaults() if one.envvar]
    env = dict.fromkeys([*names, "PGSERVICEFILE", "PGSYSCONFDIR", "PGTZ"], "odd")
    then = "print(*sorted(name for name in os.environ if name.startswith('PG')))"
    kept = {"PGP_ENCRYPTION_KEY": "x", "PG_COLOR": "auto"}
    assert prepared(":", then, **env, **kept) == "PGPASSFILE PGPASSWORD PGP_ENCRYPTION_KEY PG_COLOR"
    told = {"PGHOSTADDR": "203.0.113.9", "PGOPTIONS": "-c search_path=evil", "PGSERVICE": "evil"}
    ask = (
        "from psycopg.pq import Conninfo; print([one.val or None for one in Conninfo.get_defaults() if one.keyword in "
    )
    assert prepared(":", ask + "(b'hostaddr', b'options', b'service')])", **told) == "[None, None, None]"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_what_ends_a_process_ends_it_in_order(number: signal.Signals) -> None:
    then = f"try: signal.raise_signal({int(number)})\nexcept KeyboardInterrupt: print('in order')"
    assert prepared(":", then) == "in order"
    then = f"signal.raise_signal({int(number)}); print('outlived')"
    assert prepared(f"trap '' {int(number)}", then) == "outlived"
