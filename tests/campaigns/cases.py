"""One command of a person with what it must end with."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

from .product import HUNG, PROGRAM, Ended, Product
from .stand import Stand
from .tally import Tally

BAD, FAILED, DECLINED = 2, 3, 4
LIMIT = 60.0  # seconds
LONGEST_MESSAGE = 4000
"""Characters of stderr, beyond which a message is not one that a person reads."""


@dataclass(frozen=True)
class Case:
    """One command. `codes` are those that are right; `shell` wraps it, for streams a person may close."""

    name: str
    arguments: Sequence[str]
    codes: tuple[int, ...]
    env: dict[str, str] = field(default_factory=dict)
    shell: str = ""
    spoken: bool = True


def one(stand: Stand, tally: Tally, product: Product, case: Case) -> None:
    """Run it; its code, its message, the audit and what it showed."""
    mark = stand.mark()
    ended = ran(product, case)
    wrong = ended.complaints(*case.codes)
    if case.spoken and ended.code != 0:
        wrong += message(ended)
    if stand.writes(mark):
        wrong.append(f"{len(stand.writes(mark))} writes in the audit")
    tally.case(case.name[:80], wrong=wrong)
    tally.leak(case.name[:80], [f"output: {hit}" for hit in stand.canaries.found(ended.text.encode(errors="replace"))])


def message(ended: Ended) -> list[str]:
    """One message, of a length that is read, without anything that moves the cursor."""
    wrong = []
    if ended.err.count("Error:") + ended.err.count("Error\n") != 1 and "Usage:" not in ended.err:
        wrong.append(f"{ended.err.count('Error:')} messages")
    if len(ended.err) > LONGEST_MESSAGE:
        wrong.append(f"a message of {len(ended.err)} characters")
    if any(character in ended.err for character in "\x1b\x07\u202e"):
        wrong.append("foreign control characters were shown")
    return wrong


def ran(product: Product, case: Case) -> Ended:
    """The process's end; killed at the limit."""
    env = {**product.env, "USCDR_STATE_DIR": str(product.state), **case.env}
    command: list[str] = [PROGRAM, *case.arguments]
    if case.shell:
        command = ["/bin/sh", "-c", f'"$0" "$@" {case.shell}', *command]
    try:
        done = subprocess.run(
            command, env=env, cwd=product.state.parent, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=LIMIT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Ended(HUNG, "", "")
    return Ended(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
