"""The totals of a round of checks, for every format of the report."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from uscdr.models.base import elapsed
from uscdr.models.runs import LIST_TITLES, NO_BASELINE, Tally
from uscdr.report.words import at, in_markdown, integrity_section, span, stamp, table

if TYPE_CHECKING:
    from uscdr.report.model import CheckReport, ItemReport, RoundReport, RunReport

UNENDED = "it did not end"


def result_words(report: RunReport) -> str:
    """The newest round in one sentence without its full stop; an incomplete round has no result."""
    one = report.round
    if one is None:
        return "no round of checks started"
    if one.ended_at is None:
        return f"no result: the checks stopped early, {progress_words(one)}"
    return Tally([item.verdict for item in one.items]).of_lines(skipped_manual=one.skipped_manual)


def progress_words(one: RoundReport) -> str:
    """The numbers of checks that ended, by verdict: `12 of 45 ended (11 pass, 1 fail)`."""
    counts = Tally([check.verdict for check in one.checks]).words
    return f"{len(one.checks)} of {len(one.wanted)} ended ({counts})"


def baseline_words(one: RoundReport) -> str:
    """The baseline of counts, in words."""
    return f"compared with the baseline of {at(one.baseline_at)}" if one.baseline_at else NO_BASELINE


def cut_off(report: RunReport) -> RoundReport | None:
    """The newest round, if it stopped early after an earlier round had ended."""
    last = report.rounds[-1] if report.rounds else None
    return last if last and last is not report.round else None


def seconds_of(one: RoundReport) -> float:
    """Duration of the round in seconds; for an incomplete round, until its last check ended."""
    if one.seconds is not None:
        return one.seconds
    return max((elapsed(one.started_at, check.at) for check in one.checks), default=0.0)


def not_passed(one: RoundReport) -> list[CheckReport]:
    """The checks that ended without a pass."""
    return [check for check in one.checks if check.verdict != "pass"]


def left_out(one: RoundReport) -> list[str]:
    """Checks that the operator skipped, each once."""
    return list(dict.fromkeys(name for item in one.items for name in item.skipped))


def evidence_of(one: RoundReport, item: ItemReport) -> list[str]:
    """The checks of a line with their evidence, and the skipped ones."""
    ended = {check.check: check for check in one.checks}
    skipped = [f"not checked {name}: skipped" for name in item.skipped]
    return [_behind(name, ended.get(name)) for name in item.checks] + skipped


def problems_of(one: RoundReport, item: ItemReport) -> list[str]:
    """The same, for checks that did not pass."""
    passed = {check.check for check in one.checks if check.verdict == "pass"}
    grave = item.model_copy(update={"checks": tuple(name for name in item.checks if name not in passed)})
    return evidence_of(one, grave)


def _behind(name: str, check: CheckReport | None) -> str:
    if check is None:
        return f"inconclusive {name}: {UNENDED}"
    verdict = "" if check.verdict == "pass" else f"{check.verdict} "
    return f"{verdict}{name}: {check.evidence}"


# A verification as Markdown: the result, failed checks, the three checklists, every check, the evidence.


def to_checks_markdown(report: RunReport) -> str:
    """The whole report of the newest complete round, ending in a newline."""
    one = report.round
    parts = [_summary(report)]
    if one is not None:
        parts += [_failed(one), *_lists(one), _checks(one), _left_out(one)]
    parts += [_rounds(report), _notes(report), [*integrity_section(report.integrity), f"Run: {_say(report.run)}", ""]]
    return "\n".join(text for part in parts for text in part).rstrip() + "\n"


def _summary(report: RunReport) -> list[str]:
    one = report.round
    facts = [
        f"**Result:** {_say(result_words(report))}",
        f"**Outcome of the run:** {report.outcome}. {_say(report.summary)}",
        f"**What:** {_say(report.scenario)} of {_say(report.app)} ({_say(report.target)})",
        f"**Who:** {_say(report.operator)}, uscdr {_say(report.version)}",
        f"**When:** {at(report.started_at)} to {at(report.ended_at)}",
    ]
    if one is not None:
        counts = Tally([check.verdict for check in one.checks]).words
        facts += [f"**Baseline:** {baseline_words(one)}", f"**Checks:** {len(one.wanted)}: {counts}{_unended(one)}"]
    if len(report.rounds) > 1 and one is not None:
        facts.append(f"**Rounds:** {len(report.rounds)}; this is round {one.number}, of {at(one.started_at)}")
    return [f"# Verification of {_say(report.app)}: {_verdict(report)}", "", *(f"- {fact}" for fact in facts), ""]


def _verdict(report: RunReport) -> str:
    one, later = report.round, cut_off(report)
    if one is None or one.ended_at is None:
        return "no result"
    whole = bool(one.items) and all(item.verdict == "pass" for item in one.items)
    return "passed" if whole and not not_passed(one) and not (later and not_passed(later)) else "NOT PASSED"


def _unended(one: RoundReport) -> str:
    return f", {len(one.unended)} did not end" if one.unended else ""


def _failed(one: RoundReport) -> list[str]:
    rows = [
        [f"**{_say(check.verdict)}**", _say(check.check), _say(check.evidence), _say(check.why) or "-"]
        for check in not_passed(one)
    ]
    rows += [["**inconclusive**", _say(name), UNENDED, "-"] for name in one.unended]
    head = ("Verdict", "Check", "Evidence", "Meaning and next step")
    return ["## Checks that did not pass", "", *table(head, rows), ""] if rows else []


def _lists(one: RoundReport) -> list[list[str]]:
    return [
        [
            f"## {_say(LIST_TITLES.get(key, key))}",
            "",
            *table(("Verdict", "Line", "Evidence"), (_line(one, i) for i in items)),
            "",
        ]
        for key, items in groupby(one.items, key=lambda item: item.list)
    ]


def _line(one: RoundReport, item: ItemReport) -> list[str]:
    evidence = "<br>".join(_say(text) for text in evidence_of(one, item)) or "-"
    return [f"**{_say(item.verdict)}**", _say(item.item), evidence]


def _checks(one: RoundReport) -> list[str]:
    rows = [_check(check) for check in one.checks]
    rows += [["**inconclusive**", _say(name), "-", UNENDED] for name in one.unended]
    return ["## Checks", "", *table(("Verdict", "Check", "Seconds", "Evidence"), rows), ""]


def _check(check: CheckReport) -> list[str]:
    return [f"**{_say(check.verdict)}**", _say(check.check), f"{check.seconds:.1f}", _say(check.evidence)]


def _left_out(one: RoundReport) -> list[str]:
    names = left_out(one)
    if not names and not one.skipped_manual:
        return []
    words = f"{', '.join(names) or 'none of the lines above'}"
    return ["## Skipped checks", "", f"The operator skipped manual checks (--skip-manual): {_say(words)}", ""]


def _rounds(report: RunReport) -> list[str]:
    """The changes that a watch saw, and the number of rounds without a change."""
    if len(report.rounds) < 2:  # noqa: PLR2004 - a round is compared with the one before
        return []
    changed = [one for one in report.rounds if one.changed]
    rows = [[stamp(one.started_at), str(one.number), _say("; ".join(one.changed))] for one in changed]
    lines = ["## Rounds", "", *(table(("Time (UTC)", "Round", "Change"), rows) if rows else ["Nothing changed."])]
    lines += ["", f"{len(report.rounds)} rounds in {span(_lasted(report))}, {len(rows)} of them with a change."]
    return [*lines, *_cut_off(report), ""]


def _cut_off(report: RunReport) -> list[str]:
    one = cut_off(report)
    if one is None:
        return []
    found = [f"- **{_say(check.verdict)}** {_say(f'{check.check}: {check.evidence}')}" for check in not_passed(one)]
    return [
        "",
        f"Round {one.number} stopped early: {progress_words(one)}. The tables above do not include it.",
        "",
        *found,
    ]


def _lasted(report: RunReport) -> float:
    last = report.rounds[-1]
    return ((last.ended_at or last.started_at) - report.rounds[0].started_at).total_seconds()


def _notes(report: RunReport) -> list[str]:
    if not report.notes:
        return []
    rows = ([stamp(note.at), note.level, _say(note.text)] for note in report.notes)
    return ["## Notes", "", *table(("Time (UTC)", "Level", "Note"), rows), ""]


def _say(text: str) -> str:
    return in_markdown(text)
