"""Commands to paste: they name the configuration and the target that this process was given."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import contextmanager
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CARRIED = ("--config", "--target")
_SANDBOX = "sandbox"
"""The target that no file has as its only one."""
_PASTED = re.compile(
    r"\buscdr (?P<named>(?:--(?:config|target)[ =]\S+ )*)"
    r"(?=(?:recover|runs|dns|verify|watch|doctor|runbook|backup|kit|drill|incident(?! command)|"
    r"config(?! init| check [\w/.]))\b)"
)
"""The beginning of a command that reads the configuration. Texts name no other thing so."""
_REST = re.compile(r"(?:(?!uscdr |\n|\\n| && |[.,;:)`\"](?:\s|$)).)*")
"""What belongs to the same command."""


class _Carried:
    """The options of this process's command line that every command it prints must have, to do what it says."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    @contextmanager
    def of(self, arguments: Sequence[str]) -> Iterator[None]:
        """While a command line is run: its --config and --target. It may be one that the parser refuses."""
        self._read(arguments)
        try:
            yield
        finally:
            self._values = {}

    def _read(self, arguments: Sequence[str]) -> None:
        words = [*takewhile(lambda word: word != "--", arguments)]
        for name in _CARRIED:
            values = [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]
            values += [words[place + 1] for place, word in enumerate(words[:-1]) if word == name]
            self._carry(name, [one for one in values if name == "--config" or "/" not in one])

    def on(self, target: str, env: Mapping[str, str]) -> None:
        """The target of the run that a command is about, if commands that name none might mean another one."""
        meant = env.get("USCDR_TARGET") or ("" if target == _SANDBOX else target)
        if "--target" in self._values or meant != target:
            self._carry("--target", [target])

    def _carry(self, name: str, values: Sequence[str]) -> None:
        self._values = {one: value for one, value in {**self._values, name: "".join(values[:1])}.items() if value}

    def text(self, text: str, *, in_json: bool = False) -> str:
        """`text` with the options in every command that lacks them; applying it twice changes nothing more."""
        if not self._values or "uscdr " not in text:
            return text
        return _PASTED.sub(lambda found: self._command(found, in_json=in_json), text)

    def _command(self, found: re.Match[str], *, in_json: bool) -> str:
        rest = _REST.match(found.string, found.end())
        line = found["named"] + (rest[0] if rest else "")
        if "--help" in line:
            return found[0]
        lacking = [word for name in _CARRIED if name in self._values and name not in line
                   for word in (name, self._values[name])]  # fmt: skip
        words = shlex.join(lacking)
        added = json.dumps(words)[1:-1] if in_json else words
        return f"uscdr {added}{' ' if added else ''}{found['named']}"


CARRIED = _Carried()
