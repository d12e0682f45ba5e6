"""`uscdr completion`: the script that lets a shell complete commands, options and known values."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typing_extensions import TypedDict

from uscdr.cli.manual import LOCAL, manual
from uscdr.cli.options import options
from uscdr.ui.schemas import Schema


class _Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS = {
    _Shell.BASH: r"""# uscdr completion for bash
_uscdr_completion() {
    local line before
    COMPREPLY=()
    before=${COMP_WORDS[COMP_CWORD]%"${COMP_WORDS[COMP_CWORD]##*=}"}
    while IFS= read -r line; do
        line=${line%%$'\t'*}
        COMPREPLY+=("${line#"$before"}")
    done < <(_USCDR_COMPLETE=1 "$1" "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _uscdr_completion uscdr
""",
    _Shell.ZSH: r"""#compdef uscdr
_uscdr() {
    local line
    local -a found
    while IFS= read -r line; do
        found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done < <(_USCDR_COMPLETE=1 "${words[1]}" "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( ${#found} )); then
        _describe 'uscdr' found
    else
        _files
    fi
}
if [[ "$funcstack[1]" = "_uscdr" ]]; then
    _uscdr "$@"
else
    compdef _uscdr uscdr
fi
""",
    _Shell.FISH: r"""# uscdr completion for fish
function __uscdr_complete
    set -l words (commandline -opc) (commandline -ct)
    set -g __uscdr_found (_USCDR_COMPLETE=1 $words[1] $words[2..-1] 2>/dev/null)
    count $__uscdr_found >/dev/null
end
complete -c uscdr -n __uscdr_complete -f -a '(printf "%s\n" $__uscdr_found)'
""",
}


class _ScriptObject(TypedDict):
    shell: str
    script: str


@manual(
    reads="Nothing.",
    changes="Nothing: you put the script where your shell finds it.",
    examples=(
        "completion bash > ~/.local/share/bash-completion/completions/uscdr",
        "completion zsh > ~/.zfunc/_uscdr",
        "completion fish > ~/.config/fish/completions/uscdr.fish",
    ),
    exits=LOCAL,
    see=("help",),
)
def completion(
    context: typer.Context, shell: Annotated[_Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]
) -> None:
    """Print the completion script of a shell.

    Start a new shell after you saved the script. For zsh the directory must be in fpath, before compinit: put
    `fpath+=~/.zfunc` into ~/.zshrc.

    The shell completes commands and options, and what this machine knows without a network: backups, kits, runs,
    incidents, checks, scenarios and targets.
    """
    output = options(context).output()
    if output.json_lines:
        output.record(Schema.COMPLETION, _ScriptObject(shell=shell.value, script=_SCRIPTS[shell]))
    else:
        output.result(_SCRIPTS[shell].rstrip())
