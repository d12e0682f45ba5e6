"""The completion scripts in real shells: what a Tab makes of a line, and what a shell offers."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pexpect
import pyte
import pytest
from needed import needs

START = "import sys; from uscdr.cli.main import main; sys.argv[0] = 'uscdr'; main()"
PROMPT = "ready> "


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty HOME with the program on the PATH, a file in the way, and the scripts of all shells."""
    program = tmp_path / "bin" / "uscdr"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{START}" "$@"\n')
    program.chmod(0o755)
    (tmp_path / "db.txt").write_text("a file that a shell would offer\n")
    (tmp_path / "zfunc").mkdir()
    for shell, name in {"bash": "uscdr.bash", "zsh": "zfunc/_uscdr", "fish": "uscdr.fish"}.items():
        script = subprocess.run([program, "completion", shell], capture_output=True, check=True, timeout=120)
        (tmp_path / name).write_bytes(script.stdout)
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("USCDR_", "XDG_"))}
    return {**kept, "HOME": str(place), "PATH": f"{place / 'bin'}:{kept['PATH']}", "TERM": "vt100", "PS1": PROMPT}


def offered(place: Path, line: str) -> list[str]:
    asks = f"source {place}/uscdr.fish; complete -C {shlex.quote(line)}"
    done = subprocess.run(
        [needs("fish"), "--no-config", "-c", asks],
        env=environment(place), cwd=place, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return [one.split("\t")[0] for one in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("uscdr recover d", ["db"]),
        ("uscdr recover db --dry", ["--dry-run"]),
        ("uscdr --target ", ["production", "sandbox"]),
        ("uscdr completion ", ["bash", "fish", "zsh"]),
        ("uscdr recover db --identity d", ["db.txt"]),
    ],
)
def test_fish_offers_what_is_known_and_files_only_where_nothing_is(line: str, wanted: list[str], place: Path) -> None:
    assert sorted(offered(place, line)) == wanted


STARTS = {
    "bash": (["--norc", "--noprofile", "-i"], "source uscdr.bash"),
    "zsh": (["-f", "-i"], "fpath+=$PWD/zfunc; autoload -U compinit; compinit -u -D"),
}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("typed", "made"),
    [
        ("uscdr recover inf", "uscdr recover infra"),
        ("uscdr recover db --dry", "uscdr recover db --dry-run"),
        ("uscdr --target prod", "uscdr --target production"),
        ("uscdr --target=prod", "uscdr --target=production"),
        ("uscdr recover db --identity db.t", "uscdr recover db --identity db.txt"),
    ],
)
def test_a_tab_completes_the_line(shell: str, typed: str, made: str, place: Path) -> None:
    options, prepare = STARTS[shell]
    child = pexpect.spawn(
        needs(shell), options, env=environment(place), cwd=place, encoding="utf-8", dimensions=(24, 100), timeout=120
    )
    try:
        child.expect_exact(PROMPT)
        child.sendline(f"{prepare}; PS1='now''> '")
        child.expect_exact("now> ")
        child.send(f"{typed}\t")
        screen = pyte.Screen(100, 24)
        shown = pyte.Stream(screen)
        while not any(line.startswith(made) for line in screen.display):  # pexpect's own limit ends this
            child.expect(r".+")
            shown.feed(child.after)
    finally:
        child.terminate(force=True)
