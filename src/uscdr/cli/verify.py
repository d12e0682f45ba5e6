"""`uscdr verify`: the runbook's three checklists as checks that can fail; `uscdr watch`: the same again and again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uscdr.cli.options import options

if TYPE_CHECKING:
    from uscdr.scenarios.checks import CheckRequest
    from uscdr.scenarios.config import Config
    from uscdr.ui.console import Output

Which = Annotated[str, typer.Argument(help="all, db, app or integration.")]
Names = Annotated[list[str] | None, typer.Argument(help="Checks: names, * and ? allowed; several, or with commas.")]
SkipManual = Annotated[bool, typer.Option("--skip-manual", help="Leave questions to a person out, and say so.")]
Answer = Annotated[list[str] | None, typer.Option(help="Answer a question in advance: NAME=yes or NAME=no.")]
App = Annotated[
    str | None, typer.Option(help="Another application than the target's, e.g. the one that recover infra made.")
]
Junit = Annotated[Path | None, typer.Option(help="Write the result as JUnit XML.")]
Markdown = Annotated[Path | None, typer.Option(help="Write the result as Markdown.")]
AsJson = Annotated[bool, typer.Option("--json", help="Events as JSON lines on stdout.")]


def verify(
    context: typer.Context,
    which: Which = "all",
    check: Names = None,
    *,
    list_only: Annotated[
        bool, typer.Option("--list", help="Show which checks stand for which line; ask nothing.")
    ] = False,
    save_baseline: Annotated[
        bool, typer.Option("--save-baseline", help="Keep what was measured, if all passes, to compare with later.")
    ] = False,
    allow_writes: Annotated[
        bool, typer.Option("--allow-writes", help="Also checks that write something and take it back.")
    ] = False,
    skip_manual: SkipManual = False,
    answer: Answer = None,
    app: App = None,
    deadline: Annotated[str, typer.Option(help="For all checks together: 90s, 5m.")] = "5m",
    junit: Junit = None,
    markdown: Markdown = None,
    as_json: AsJson = False,
) -> None:
    """Run the runbook's checklists. Only looks, unless --allow-writes."""
    from uscdr.scenarios.checks import CheckRequest

    given = options(context)
    output = given.output(json_lines=as_json)
    wish = CheckRequest(which, split(check), allow_writes=allow_writes, skip_manual=skip_manual)
    if list_only:
        show_list(given.targets(output).loaded(lazily=True).config, output, wish)
        return
    from uscdr.commands.verify import Verification, VerifyOptions, answers_of, carry_out, duration

    wanted = Verification(
        wish, answers_of(answer or []), save_baseline=save_baseline, deadline=duration("--deadline", deadline)
    )
    asked = VerifyOptions(f"verify {which}", wanted, app, junit, markdown)
    raise typer.Exit(carry_out(given.targets(output).find(), output, asked))


def show_list(config: Config, output: Output, wish: CheckRequest) -> None:
    """Each line of the checklists with its checks, on stdout; nothing is asked."""
    from uscdr.scenarios.checks import CheckRequest, CheckSelection
    from uscdr.ui.tables import show_table

    selection = CheckSelection.of(config, CheckRequest(wish.which, wish.patterns, allow_writes=True))
    kinds = {check.name: check for check in selection.checks}
    rows = [
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
    show_table(rows, output, empty="No checklist.")


def split(names: list[str] | None) -> tuple[str, ...]:
    """`a,b c` -> a, b, c."""
    return tuple(part for name in names or () for part in name.split(",") if part)


def watch(
    context: typer.Context,
    which: Which = "all",
    check: Names = None,
    *,
    lasting: Annotated[str, typer.Option("--for", help="How long: 24h.")] = "24h",
    every: Annotated[str, typer.Option(help="From one round to the next: 10m.")] = "10m",
    app: App = None,
    junit: Junit = None,
    markdown: Markdown = None,
    as_json: AsJson = False,
) -> None:
    """Repeat the checks that need no person; the exit code is the last round's. Ctrl-C ends it."""
    from uscdr.commands.verify import Verification, VerifyOptions, carry_out, duration
    from uscdr.scenarios.checks import CheckRequest

    wanted = Verification(
        CheckRequest(which, split(check), skip_manual=True),
        lasting=duration("--for", lasting),
        every=duration("--every", every),
    )
    asked = VerifyOptions(f"watch {which}", wanted, app, junit, markdown)
    given = options(context)
    output = given.output(json_lines=as_json)
    raise typer.Exit(carry_out(given.targets(output).find(), output, asked))
