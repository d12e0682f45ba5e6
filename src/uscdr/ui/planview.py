"""Show the plan before the run: the observed state, the steps, and their calls."""

from __future__ import annotations

import shlex
import sys
from itertools import groupby
from typing import TYPE_CHECKING

from uscdr.phrase import UNKNOWN
from uscdr.ui.pager import show_text
from uscdr.ui.schemas import Schema
from uscdr.ui.text import Line, Span, Tone, cells, line, painted, wrap
from uscdr.words import duration, plural

if TYPE_CHECKING:
    from uscdr.models.events import PlannedStep, PlanReady
    from uscdr.models.forecast import RunForecast
    from uscdr.ui.console import Output

INDENT = 5
NAMES = 9
"""Columns for the names on the left of a step's facts."""
_MAINTENANCE = "heroku.maintenance"
"""The name of the steps that switch maintenance mode."""


def show_plan(plan: PlanReady, output: Output, *, passed: str = "") -> None:
    """Show `plan` on stdout, or on stderr if stdout is closed: as text, or with --json as one object.

    Wraps sentences at the width of a terminal, and not in a pipe. Never wraps calls and commands, so that they can be
    copied. `passed` says how much of the RTO has passed.
    """
    if output.json_lines:
        output.record(Schema.PLAN, plan.model_dump(mode="json"))
        return
    stream = output.err if output.out.absent else output.out
    width = stream.width if stream.is_tty else None
    color = output.color_on(stream)
    text = "\n".join(painted(spans, color=color) for spans in _plan_lines(plan, width, passed)) + "\n"
    if plan.dry_run and stream is output.out and sys.stdin is not None and sys.stdin.isatty():
        show_text(text, output)
    else:
        stream.offer(text)


def _plan_lines(plan: PlanReady, width: int | None, passed: str = "") -> list[Line]:
    """The plan as lines; sentences are wrapped at `width` columns, if given."""
    numbered = list(enumerate(plan.steps, start=1))
    lines = [*_head(plan), *(line(one) for one in passed.splitlines())]
    for phase, steps in groupby(numbered, key=lambda item: item[1].phase):
        budget = plan.budgets.get(phase)
        lines += [(), line(Span(phase, "title"), Span(f"  budget {duration(budget)}" if budget else "", "dim"))]
        for number, step in steps:
            lines += _step(number, step, width)
            lines += _takes(plan.forecast, step, width)
    return [*lines, (), *_foot(plan, width)]


def _takes(forecast: RunForecast | None, step: PlannedStep, width: int | None) -> list[Line]:
    """How long the step took in earlier runs; nothing for a step that is not needed, or without any earlier run."""
    told = forecast.of(step.id) if forecast else None
    if told is None or step.action in {"noop", "skip", "blocked"}:
        return []
    return _fact("takes", told.words, "dim", width)


def _head(plan: PlanReady) -> list[Line]:
    writing = [step for step in plan.steps if step.will_write]
    destroys = [step.title for step in writing if step.destroys]
    dry = "Dry run: nothing will be changed. " if plan.dry_run else ""
    verb = "writes" if len(writing) == 1 else "write"
    lines = [line(Span(f"{dry}{plural(len(plan.steps), 'step')}, {len(writing)} of them {verb}.", "strong"))]
    lines += [line(Span("DESTROYS", "bad"), f" {title}") for title in destroys]
    return lines


def _step(number: int, step: PlannedStep, width: int | None) -> list[Line]:
    tone: Tone = "bad" if step.destructive else "dim" if step.effect == "read" else "warn"
    words = _effect_words(step.effect, destructive=step.destructive)
    lines = [line(f"{number:>3}  ", Span(step.title, "strong"), "  ", Span(f"[{words}]", tone))]
    for name, value in step.seen.items():
        if value is not None or step.action != "later":  # what is still to be decided is no finding
            lines += _fact("seen", f"{name.replace('_', ' ')}: {_value(value)}", "plain", width)
    lines += _fact(*_action(step), width)
    lines += [_kept("sends" if call.writes else "asks", f"{call.provider} {call.request}") for call in step.calls]
    lines += [_kept("by hand", command) for command in step.manual]
    return lines


def _effect_words(effect: str, *, destructive: bool) -> str:
    """The effect of a step, in words."""
    if destructive:
        return "ASKS YOU" if effect == "idempotent" else "DESTROYS"
    return {
        "read": "reads",
        "idempotent": "writes, repeatable",
        "findable": "writes",
        "once": "writes, never repeated",
    }.get(effect, effect)


def _action(step: PlannedStep) -> tuple[str, str, Tone]:
    match step.action:
        case "blocked":
            return "BLOCKED", step.summary, "bad"
        case "later":
            return "later", step.summary, "warn"
        case "noop":
            return "nothing", step.summary, "dim"
        case "skip":
            return "skips", step.summary, "dim"
        case "read":
            return "looks", step.summary, "plain"
        case _:
            return "will", step.summary, "bad" if step.destructive else "plain"


def _value(value: object) -> str:
    match value:
        case None:
            return "not known"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(_value(item) for item in value) or "none"
        case dict():
            return ", ".join(f"{name} {_value(item)}" for name, item in value.items()) or "none"
        case _:
            return str(value) or "none"


def _fact(name: str, text: str, tone: Tone, width: int | None) -> list[Line]:
    pieces = wrap(text, width - INDENT - NAMES) if width else [text]
    return [_named(name if not index else "", Span(piece, tone)) for index, piece in enumerate(pieces)]


def _named(name: str, *parts: Span) -> Line:
    return line(" " * INDENT, Span(f"{name:<{NAMES}}", "dim"), *parts)


def _kept(name: str, text: str) -> Line:
    return _named(name, Span(text, "dim"))


def _foot(plan: PlanReady, width: int | None) -> list[Line]:
    """The summary, last on the screen: what is lost, how long users are shut out, the phrase, the next command."""
    lines = [*_facts(plan, width), *_downtime(plan, width), *_expected(plan.forecast, width)]
    lines.append(line(Span("digest   ", "dim"), plan.digest))
    if plan.phrase:
        lines.append(line(Span(f"{'phrase':<{NAMES}}", "dim"), Span(plan.phrase, "strong")))
        if UNKNOWN in plan.phrase:
            lines.append(line(" " * NAMES, Span(f"uscdr learns {UNKNOWN} during the run and asks you then", "dim")))
    blocked = [str(number) for number, step in enumerate(plan.steps, start=1) if step.action == "blocked"]
    if blocked:
        lines.append(line(Span(f"BLOCKED  step {', '.join(blocked)}: this plan cannot run.", "bad")))
    elif plan.dry_run and plan.command:
        lines.append(line(Span(f"{'next':<{NAMES}}", "dim"), Span(_next(plan), "strong")))
    return lines


def _facts(plan: PlanReady, width: int | None) -> list[Line]:
    """What stands above the phrase, as far as it is known."""
    known = {name: words for name, words in plan.facts.items() if words not in {UNKNOWN, "not known"} or plan.dry_run}
    if not known:
        return []
    widest = max(cells(name) for name in known) + 2
    lines = [line(Span("Summary", "title"))]
    for name, words in known.items():
        pieces = wrap(words, width - widest) if width else [words]
        lines += [line(Span((name if not index else "").ljust(widest), "dim"), piece)
                  for index, piece in enumerate(pieces)]  # fmt: skip
    return [*lines, ()]


def _downtime(plan: PlanReady, width: int | None) -> list[Line]:
    """How long users are shut out: from the step that enables maintenance mode to the one that disables it."""
    shut = [number for number, step in enumerate(plan.steps, start=1) if step.name == _MAINTENANCE and step.will_write]
    if len(shut) < 2:  # noqa: PLR2004 - one on, one off
        return []
    forecast = plan.forecast.of(plan.steps[shut[0] - 1].id) if plan.forecast else None
    took = f": {forecast.to_back.words} by earlier runs" if forecast and forecast.to_back else ""
    words = f"Users are shut out from step {shut[0]} to step {shut[-1]}{took}."
    return [line(piece) for piece in (wrap(words, width) if width else [words])]


def _next(plan: PlanReady) -> str:
    """The command that carries the plan out; without a phrase it asks, if it has to."""
    return f"{plan.command} --confirm {shlex.quote(plan.phrase)}" if plan.phrase else plan.command


def _expected(forecast: RunForecast | None, width: int | None) -> list[Line]:
    """The expected end, and a warning if the RTO will or may be missed."""
    if forecast is None:
        return []
    first = forecast.steps[0].id if forecast.steps else None
    told: list[tuple[str, Tone]] = [(words, "plain") for words in forecast.expected(forecast.made_at, first)]
    warning = forecast.warning(forecast.made_at, first)
    told += [(warning, "warn")] if warning else []
    return [line(Span(piece, tone)) for text, tone in told for piece in (wrap(text, width) if width else [text])]
