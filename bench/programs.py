"""Whole programs as a user starts them: our own and those that he would use instead, timed with their memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
USCDR = str(Path(sys.executable).parent / "uscdr")
CLIENTS = Path(os.environ.get("USCDR_CLIENTS", ROOT / ".clients"))
HEROKU = str(CLIENTS / "node_modules" / ".bin" / "heroku")
CLD = str(CLIENTS / "cloudinary" / "bin" / "cld")


@dataclass(frozen=True)
class Done:
    """One process: wall and processor seconds, peak memory in MB, and what it wrote."""

    code: int
    seconds: float
    cpu: float
    megabytes: float
    out: str
    err: str


def timed(
    command: Sequence[str], env: Mapping[str, str], *, cwd: Path | None = None, codes: Sequence[int] = (0,)
) -> Done:
    """Run it to its end. Exits the benchmark when it ends with another code than `codes`."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun = time.monotonic()
        process = subprocess.Popen(command, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = [_read(one) for one in (out, err)]
    done = Done(process.returncode, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, *texts)
    if done.code not in codes:
        sys.exit(f"{' '.join(command[:6])} ended with {done.code}:\n{done.out[-800:]}\n{done.err[-800:]}")
    return done


def _read(file: object) -> str:
    file.seek(0)  # type: ignore[attr-defined]
    return str(file.read().decode(errors="replace"))  # type: ignore[attr-defined]


def as_installed(state: Path) -> dict[str, str]:
    """An environment in which modules are compiled once, with a state directory of its own and no credentials."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "HEROKU_API_KEY", "CLOUDINARY_URL")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"USCDR_STATE_DIR": str(state), "HOME": str(state)}
