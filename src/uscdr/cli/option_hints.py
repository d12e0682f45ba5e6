"""One hint for an option that a command does not take: by meaning, by spelling, or the command that does take it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from uscdr.cli.global_options import ARGUMENTS
from uscdr.cli.hints import path_to, paths
from uscdr.errors import BadInput

_YES = frozenset({
    "-y", "-f", "--yes", "--force", "--assume-yes", "--auto-approve", "--no-confirm", "--non-interactive", "--no-input",
    "--approve", "--no-prompt", "--batch", "--skip-confirmation", "--yolo", "--confirmed", "--unattended",
})  # fmt: skip
"""People want no question asked. A phrase is what answers it here."""
_DRY = frozenset({
    "-n", "--dryrun", "--plan-only", "--check", "--plan", "--noop", "--no-op", "--what-if", "--whatif", "--preview",
    "--simulate", "--just-print", "--test", "--pretend", "--diff", "--read-only", "--dry", "--check-only",
})  # fmt: skip
_MEANINGS = {
    "--backup": "--id --snapshot --snapshot-id --dump --backup-id --backup-name --from-backup -b --restore-from "
    "--copy --from --target-time --pitr --to-time --point-in-time --recovery-target-time",
    "--release": "--version --to-release --rollback-to --rel",
    "--ref": "--commit --branch --tag --sha --rev --revision --git-ref",
    "--identity": "--key --key-file --private-key --secret-key -i --age-key --identity-file --decrypt-key",
    "--recipient": "--recipients --public-key --pubkey --encrypt-to --gpg-recipient",
    "--to": "--dest --destination --repo --repository --bucket --store --vault --into --out-dir -d --from",
    "--from": "--source --dir --directory --path --folder --files --input",
    "--into": "--out --output --dest --destination --dir --directory --to -d --target-dir",
    "--output": "-o --out --out-file --file --save",
    "--since": "--at --when --time --started --start --outage --from-time --began --down-since",
    "--target": "--env --environment --remote --stage --cluster --context --profile -t -e -r --project --account",
    "--config": "--conf --config-file --configuration --settings --scenarios --yaml -c",
    "--json": "--format --output-format -o --machine-readable --jsonl --json-lines --as-json -j",
    "--quiet": "--silent -s --less",
    "--verbose": "--debug --trace -vv -vvv --loud --log-level --more -d",
    "--no-color": "--no-colour --color --colour --colors --monochrome --plain-text --nocolor",
    "--confirm": "--phrase --answer --confirmation --passphrase --ack",
    "--app": "--application --name --app-name -a --new-app",
    "--kit": "--escape-kit --bundle --kit-id",
    "--how": "--kind --damage --type --method",
    "--what": "--title --summary --message --description --reason -m --text --subject",
    "--deadline": "--timeout --time-limit --limit --max-time --wait",
    "--skip-manual": "--no-manual --automatic --auto --skip-questions",
    "--new": "--restart --again --fresh --ignore-unfinished",
    "--take-over": "--steal --takeover --unlock --force-unlock --break-lock",
    "--without": "--exclude --skip --no",
    "--part": "--only --include --component",
    "--incident": "--id --incident-id",
    "--help": "-h? --usage --man --manual",
    "--every": "--interval --period --repeat --sleep",
    "--for": "--duration --lasting --last",
    "--passphrase-file": "--password-file --pass-file",
    "--patients": "--rows --count --size --records",
    "--allow-writes": "--writes --write",
    "--send": "--deliver --really-send",
    "--by": "--who --author --user --person",
}
"""What an option is called by other tools, by ours."""
_ALIKE, _ALIKE_AT_ALL = 0.8, 0.6
_FORMATS = frozenset("json jsonl json-lines ndjson yaml wide table text plain csv debug info".split())  # noqa: SIM905
"""Values that other tools want behind an option that is a flag here."""


def unknown_option(context: Any, name: str) -> BadInput:  # noqa: ANN401 - Click's types are private
    """The error for an option that the context's command does not take."""
    command = context.command_path
    message = f"{command} has no option {name}."
    taken = [one for param in context.command.get_params(context) for one in param.opts]
    if name in _YES:
        return BadInput(message, why="uscdr asks for a phrase instead. A dry run prints it.",
                        next_action=_phrase(context, taken, name))  # fmt: skip
    if name in _DRY:
        return BadInput(message, next_action=_dry_run(context, taken, name))
    if (found := _meant(name, taken)) is not None:
        return BadInput(message, next_action=f"Run: {_replaced(context, name, found)}")
    if elsewhere := _elsewhere(context, name):
        return BadInput(message, why=f"{name} belongs to {_listed(elsewhere)}.",
                        next_action=f"Run: uscdr {elsewhere[0]} --help")  # fmt: skip
    if (close := _closest(name, taken, _ALIKE_AT_ALL)) is not None:
        return BadInput(message, next_action=f"Run: {_replaced(context, name, close)}")
    return BadInput(message, next_action=f"Run: {command} --help")


def _meant(name: str, taken: Sequence[str]) -> str | None:
    """An option of the command that other tools call so, or that is spelt nearly so."""
    meant = next((ours for ours, others in _MEANINGS.items() if ours in taken and name in others.split()), None)
    return meant or _closest(name, taken, _ALIKE)


def _closest(name: str, taken: Sequence[str], least: float) -> str | None:
    """The most alike option with a long name; hyphens do not count."""
    bare = name.replace("-", "").replace("_", "").lower()
    alike = [(SequenceMatcher(None, bare, one.replace("-", "")).ratio(), one) for one in taken if one.startswith("--")]
    best = max(alike, default=(0.0, ""))
    return best[1] if name.startswith("--") and best[0] >= least else None


def _phrase(context: Any, taken: Sequence[str], name: str) -> str:  # noqa: ANN401 - Click's types are private
    line = _without(context, name)
    if "--confirm" not in taken:
        return f"Leave {name} out. Run: {line}"
    return (
        f"Run: {line} --confirm PHRASE"
        if "--dry-run" not in taken
        else (
            f"Get the phrase: {line if '--dry-run' in line else f'{line} --dry-run'}\n"
            f"Then: {line.replace(' --dry-run', '')} --confirm PHRASE"
        )
    )


def _dry_run(context: Any, taken: Sequence[str], name: str) -> str:  # noqa: ANN401 - Click's types are private
    if "--dry-run" in taken:
        return f"Run: {_replaced(context, name, '--dry-run')}"
    if "--confirm" in taken and "prune" in context.command_path:
        return f"Without --confirm it changes nothing. Run: {_without(context, name)}"
    return f"It has no dry run. Run: {context.command_path} --help"


def _elsewhere(context: Any, name: str) -> list[str]:  # noqa: ANN401 - Click's types are private
    """The commands that take the option; those of the same group first."""
    root = context.find_root()
    group = context.command_path.removeprefix("uscdr").strip().rpartition(" ")[0]
    ours = context.command_path.removeprefix("uscdr").strip()
    found = [path for path in paths(root) if any(name in one.opts for one in path_to(root, path).params)]
    return sorted(found, key=lambda path: not path.startswith(f"{group or ours} "))


def _listed(commands: Sequence[str]) -> str:
    first = [f"uscdr {one}" for one in commands[:3]]
    more = len(commands) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")


def _replaced(context: Any, name: str, ours: str) -> str:  # noqa: ANN401 - Click's types are private
    """The command line with the option under its right name; a flag loses the value that was joined to it."""
    option = next((one for one in context.command.get_params(context) if ours in one.opts), None)
    flag = option is None or getattr(option, "is_flag", False)
    words: list[str] = []
    rest = iter(context.find_root().meta.get(ARGUMENTS, ()))
    for word in rest:
        before, joined, value = word.partition("=")
        if before == name:
            words.append(ours if flag or not joined else f"{ours}={value}")
            following = next(rest, "") if flag and not joined else ""
            words += [following] if following and following.lower() not in _FORMATS else []
        else:
            words.append(word)
    if option is None or flag or words[-1] != ours:
        return shlex.join(["uscdr", *words])
    return f"{shlex.join(['uscdr', *words])} {option.metavar}"


def _without(context: Any, name: str) -> str:  # noqa: ANN401 - Click's types are private
    words = [one for one in context.find_root().meta.get(ARGUMENTS, ()) if one.partition("=")[0] != name]
    return shlex.join(["uscdr", *words])
