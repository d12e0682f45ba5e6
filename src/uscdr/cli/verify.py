"""`uscdr verify`: run the checks of the runbook's three checklists; `uscdr watch`: repeat them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typing_extensions import TypedDict

from uscdr.cli.manual import LOOKS, manual
from uscdr.cli.monitored import monitored
from uscdr.cli.options import targets_and_output
from uscdr.monitoring.observed import CHECKS, Observed

if TYPE_CHECKING:
    from uscdr.scenarios.checks import CheckRequest
    from uscdr.scenarios.config import Config
    from uscdr.ui.console import Output
    from uscdr.wiring.targets import Targets

Which = Annotated[str, typer.Argument(metavar="[CHECKLIST]", help="Checklist: all, db, app or integration.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CHECK]…", help="Names of checks; * and ? match; separate them with spaces or commas."),
]
SkipManual = Annotated[bool, typer.Option("--skip-manual", help="Skip the questions to a person; the result says so.")]
Answer = Annotated[
    list[str] | None,
    typer.Option(metavar="ANSWER", help="Answer a question in advance: NAME=yes or NAME=no; repeat for more."),
]
App = Annotated[
    str | None,
    typer.Option(metavar="APP", help="Check another application, for example the one that `recover infra` created."),
]
Junit = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as JUnit XML.")]
Markdown = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as Markdown.")]
Deadline = Annotated[
    str, typer.Option(metavar="DURATION", help="Time limit for all checks together, such as 90s or 5m.")
]
Form = Annotated[
    str | None,
    typer.Option("--output", metavar="FORMAT", help="Print the result on stdout in this format: junit or markdown."),
]


@monitored(CHECKS)
@manual(
    reads="Every provider that a check asks, and the baseline of earlier checks.",
    changes="Nothing. With --allow-writes some checks write something and undo it; with --save-baseline the "
    "measurements are saved on this machine.",
    examples=("verify", "verify db --skip-manual", "verify all 'mail*' --answer patients-visible=yes", "verify --list"),
    exits=LOOKS | {1: "a check failed, was not made, or nobody answered its question"},
    see=("watch", "recover db", "drill due"),
)
def verify(
    context: typer.Context,
    which: Which = "all",
    check: Names = None,
    *,
    list_only: Annotated[
        bool, typer.Option("--list", help="List the checks of each checklist line; run none.")
    ] = False,
    save_baseline: Annotated[
        bool, typer.Option("--save-baseline", help="If all checks pass, save their measurements for later comparison.")
    ] = False,
    allow_writes: Annotated[
        bool, typer.Option("--allow-writes", help="Also run checks that write something and undo it.")
    ] = False,
    skip_manual: SkipManual = False,
    answer: Answer = None,
    app: App = None,
    deadline: Deadline = "5m",
    junit: Junit = None,
    markdown: Markdown = None,
    form: Form = None,
    seen: Observed,
) -> None:
    """Run the runbook's checklists. Change nothing, unless --allow-writes is given."""
    from uscdr.scenarios.checks import CheckRequest

    targets, output = targets_and_output(context)
    _refuse_unknown(targets, which, "verify")
    request = CheckRequest(which, split(check), allow_writes=allow_writes, skip_manual=skip_manual)
    if list_only:
        show_list(targets.loaded(lazily=True).config, output, request)
        return
    from uscdr.commands.verify import VerifyOptions, answers_of, carry_out, duration
    from uscdr.commands.verify_rounds import Verification

    wanted = Verification(
        request, answers_of(answer or []), save_baseline=save_baseline, deadline=duration("--deadline", deadline)
    )
    asked = VerifyOptions(f"verify {which}", wanted, app, junit, markdown, form)
    raise typer.Exit(carry_out(targets.find(), output, asked, seen))


_USUAL = frozenset({"all", "db", "app", "integration"})


def _refuse_unknown(targets: Targets, which: str, command: str) -> None:
    """Raise BadInput with the checklist that is meant, before anything is asked of a provider."""
    if which in _USUAL:
        return
    config = targets.loaded(lazily=True).config
    if which not in config.checklists:
        from uscdr.cli.usage_errors import wrong_choice

        known = ["all", *config.checklists]
        after = f"{command} all" if which in config.checks else command
        raise wrong_choice(f"There is no checklist “{which}”.", after, which, [which] if after != command else known)


class _CheckObject(TypedDict):
    list: str
    line: str
    check: str
    kind: str
    runs: Literal["always", "with --allow-writes"]


def show_list(config: Config, output: Output, request: CheckRequest) -> None:
    """Print each checklist line with its checks on stdout; run no check."""
    from uscdr.scenarios.checks import CheckRequest, CheckSelection
    from uscdr.ui.schemas import Schema
    from uscdr.ui.tables import show_table

    selection = CheckSelection.of(config, CheckRequest(request.which, request.patterns, allow_writes=True))
    kinds = {check.name: check for check in selection.checks}
    rows: list[_CheckObject] = [
        {
            "list": line.list,
            "line": line.item,
            "check": name,
            "kind": kinds[name].kind,
            "runs": "with --allow-writes" if kinds[name].spec.writes else "always",
        }
        for line in selection.lines
        for name in line.checks
    ]
    show_table(Schema.CHECK, rows, output, empty="No checklists.")


def split(names: list[str] | None) -> tuple[str, ...]:
    """`a,b c` -> a, b, c."""
    return tuple(part for name in names or () for part in name.split(",") if part)


@monitored(CHECKS)
@manual(
    reads="Every provider that a check asks.",
    changes="Nothing.",
    examples=("watch --for 24h --every 10m", "watch app --junit watch.xml"),
    exits=LOOKS | {1: "a check of the last round failed"},
    see=("verify", "backup status"),
)
def watch(
    context: typer.Context,
    which: Which = "all",
    check: Names = None,
    *,
    lasting: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long to repeat, such as 24h.")] = "24h",
    every: Annotated[
        str, typer.Option(metavar="DURATION", help="Time from one round to the next, such as 10m.")
    ] = "10m",
    app: App = None,
    junit: Junit = None,
    markdown: Markdown = None,
    form: Form = None,
    seen: Observed,
) -> None:
    """Repeat the checks that need no person. Exit with the code of the last round. Stop it with Ctrl-C."""
    from uscdr.commands.verify import VerifyOptions, carry_out, duration
    from uscdr.commands.verify_rounds import Verification
    from uscdr.scenarios.checks import CheckRequest

    targets, output = targets_and_output(context)
    _refuse_unknown(targets, which, "watch")
    wanted = Verification(
        CheckRequest(which, split(check), skip_manual=True),
        lasting=duration("--for", lasting),
        every=duration("--every", every),
    )
    asked = VerifyOptions(f"watch {which}", wanted, app, junit, markdown, form)
    raise typer.Exit(carry_out(targets.find(), output, asked, seen))
