"""Known vulnerabilities of what an installation with every extra consists of: `python -m tools.audit`.

`pip-audit` asks the vulnerability service of the Python package index, from an environment of its own. It ends with 0
also for a package that it could not look up; here that is an error: nothing is known of it. Exit 0 without a finding,
1 with findings, 3 without a complete answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.sbom import ROOT, NotInstalled, closure

PLACE = Path("build") / "audit"
CLEAN, FOUND, UNKNOWN = 0, 1, 3
_MINUTES = 10


@dataclass(frozen=True)
class Judgement:
    """The exit code, and its reasons, one a line."""

    code: int
    lines: tuple[str, ...]


def judge(wanted: Mapping[str, str], output: str, code: int) -> Judgement:
    """What pip-audit's JSON says of the packages `wanted` (name to version). No answer is never a pass."""
    answers = _answers(output)
    if answers is None:
        return Judgement(UNKNOWN, (f"pip-audit gave no answer (exit {code}): is there a network?",))
    silent = [f"{name} {wanted[name]}: not audited" for name in wanted if name not in answers]
    skipped = [f"{name}: {one['skip_reason']}" for name, one in answers.items() if "skip_reason" in one]
    other = [
        f"{name}: audited as {one.get('version')}, installed is {wanted[name]}"
        for name, one in answers.items()
        if name in wanted and "skip_reason" not in one and one.get("version") != wanted[name]
    ]
    unread = [f"{name}: no list of vulnerabilities" for name, one in answers.items() if not _read(one)]
    found = [_words(name, one, each) for name, one in answers.items() for each in one.get("vulns") or ()]
    unknown = (*silent, *skipped, *other, *unread)
    if found:
        return Judgement(FOUND, (*found, *unknown))
    if unknown or code != 0:
        return Judgement(UNKNOWN, unknown or (f"pip-audit ended with {code} and names no finding.",))
    return Judgement(CLEAN, (f"{len(wanted)} packages audited, no known vulnerability.",))


def _read(answer: Mapping[str, Any]) -> bool:
    return "skip_reason" in answer or isinstance(answer.get("vulns"), list)


def _words(name: str, answer: Mapping[str, Any], each: Mapping[str, Any]) -> str:
    fixed = ", ".join(each.get("fix_versions") or ()) or "none yet"
    return f"{name} {answer.get('version')}: {each.get('id')}, fixed in {fixed}"


def _answers(output: str) -> dict[str, dict[str, Any]] | None:
    try:
        listed = json.loads(output)["dependencies"]
        return {str(one["name"]).lower().replace("_", "-").replace(".", "-"): one for one in listed}
    except (ValueError, KeyError, TypeError):
        return None


def _asked(wanted: Mapping[str, str], place: Path) -> tuple[str, int]:
    """What pip-audit prints on stdout, and its exit code; nothing when it cannot be installed or does not end."""
    python, listed = str(place / "bin" / "python"), str(place / "requirements.txt")
    venv.create(place, with_pip=True, clear=not Path(python).exists())
    Path(listed).write_text("".join(f"{name}=={version}\n" for name, version in wanted.items()))
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pip-audit>=2.9"]
    audit = [python, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--no-deps", "--disable-pip"]
    try:
        subprocess.run(pip, check=True, timeout=_MINUTES * 60)
        done = subprocess.run(
            [*audit, "--requirement", listed], stdout=subprocess.PIPE, text=True, check=False, timeout=_MINUTES * 60
        )
    except subprocess.CalledProcessError as error:
        return "", error.returncode
    except subprocess.TimeoutExpired:
        return "", UNKNOWN
    return done.stdout, done.returncode


def main() -> int:
    """Audit what is installed here; the exit code."""
    try:
        found = closure()
    except NotInstalled as error:
        sys.stderr.write(f"{error}\n")
        return UNKNOWN
    wanted = {name: one.version for name, one in found.items() if name != ROOT}
    judged = judge(wanted, *_asked(wanted, PLACE))
    _print(judged.lines)
    return judged.code


def _print(lines: Collection[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
