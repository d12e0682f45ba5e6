"""One call of the program: which configuration and target it names, and where its words go. Import-light."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.files import exposure
from uscdr.settings import Directories

if TYPE_CHECKING:
    from pydantic import SecretStr

    from uscdr.scenarios.loader import LoadedConfig
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target


SECRET_FILES = ("USCDR_AGE_IDENTITY", "USCDR_VAULT_PASSPHRASE_FILE")
"""Variables that name files with secrets."""


@dataclass(frozen=True)
class Invocation:
    """What stands before the command on the command line."""

    config: Path | None = None
    target: str | None = None
    json_lines: bool = False
    quiet: bool = False
    verbose: bool = False
    color: bool | None = None
    scratch: str | None = None
    """The server for a proof, as the command itself names it."""
    said: list[str] = field(default_factory=list, compare=False, repr=False)

    def output(self, *, json_lines: bool = False) -> Output:
        """Where this call's words go; `json_lines` is the option of the command itself."""
        from uscdr.ui.console import Output

        return Output(
            json_lines=self.json_lines or json_lines, quiet=self.quiet, verbose=self.verbose, color=self.color
        )

    def place(self, target: str | None = None, *, lazily: bool = False) -> Target:
        """The configured target, with credentials; `lazily` as of `loaded`."""
        from uscdr.wiring.target import find_place, with_scratch

        found = find_place(self.loaded(lazily=lazily), target or self.target, os.environ)
        if found.token_note:
            self.warn(found.token_note)
        self.warn_of(*(os.environ.get(name) for name in SECRET_FILES))
        return with_scratch(found, self.scratch, os.environ)

    def loaded(self, *, lazily: bool = False) -> LoadedConfig:
        """The configuration; one that decides where things go is named first of all, on stderr.

        `lazily`, for what only shows: checks and steps are validated when they are asked for, and not before.
        """
        from uscdr.wiring.target import load_config, notice

        found = load_config(self.config, os.environ, lazily=lazily)
        if words := notice(found):
            self._say_once(words)
        return found

    def warn_of(self, *secrets: Path | str | None) -> None:
        """Say of each file with a secret that others may read it."""
        for words in (exposure(Path(one)) for one in secrets if one):
            if words:
                self.warn(words)

    def warn(self, words: str) -> None:
        """A warning on stderr, once a command."""
        self._say_once(f"Warning: {words}")

    def _say_once(self, words: str) -> None:
        if words not in self.said:
            self.said.append(words)
            self.output().warn(words)


def state() -> Path:
    """Where runs, locks and the sandbox live."""
    return Directories(os.environ).state


def clear_up(output: Output, scratch: SecretStr | None = None) -> None:
    """Remove what killed processes left: for commands that may write. What is still there is said."""
    from uscdr.cleanup import sweep

    for words in sweep(state(), scratch):
        output.warn(words)
