"""The one way an error reaches a person: what happened, why, what to do next, the exit code."""

from __future__ import annotations

from uscdr.errors import ExitCode, UscdrError
from uscdr.ui.console import Output, json_line
from uscdr.ui.style import Line, Span, Tone
from uscdr.words import escape

NEXT: dict[ExitCode, str] = {
    ExitCode.DONE: "Nothing.",
    ExitCode.CHECK_FAILED: "Read the failed checks above; mend them and verify again.",
    ExitCode.BAD_INPUT: "Correct the input and give the command again. Nothing was called.",
    ExitCode.FAILED: "Mend the cause, then go on with `uscdr runs resume`, or give the command again.",
    ExitCode.DECLINED: "Give the command again when you are ready to confirm it.",
    ExitCode.UNKNOWN: "Look at the provider before you do anything else, then `uscdr runs resume`.",
    ExitCode.LOCKED: "Talk to the holder of the lock before you do anything.",
    ExitCode.INTERRUPTED: "`uscdr runs resume` goes on from where the journal ends.",
}
"""What to do when the error itself does not say."""


def render_error(error: UscdrError, output: Output) -> None:
    """Four lines on stderr, or with --json one object `{"error": {...}}` on stdout."""
    if output.json_lines and output.out.offer(json_line({"error": error_facts(error)})):
        return
    for spans in error_lines(error):
        output.warn(spans)


def error_facts(error: UscdrError) -> dict[str, object]:
    """The error as data: kind, message, why, next_action, exit_code."""
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "why": error.why,
        "next_action": error.next_action or NEXT[error.exit_code],
        "exit_code": int(error.exit_code),
    }


def error_lines(error: UscdrError) -> list[Line]:
    """The four parts, escaped; a part of several lines is indented under its name."""
    parts: tuple[tuple[str, str, Tone], ...] = (
        ("Error", error.message, "bad"),
        ("Why", error.why or "not known", "plain"),
        ("Next", error.next_action or NEXT[error.exit_code], "strong"),
    )
    lines: list[Line] = []
    for name, text, tone in parts:
        first, *rest = escape(text, keep_newlines=True).split("\n")
        lines.append((Span(f"{name + ':':<7}", "dim"), Span(first, tone)))
        lines.extend((Span(" " * 7 + more, tone),) for more in rest)
    lines.append((Span("Exit:  ", "dim"), Span(f"{int(error.exit_code)} ({_meaning(error.exit_code)})")))
    return lines


def _meaning(code: ExitCode) -> str:
    return code.name.lower().replace("_", " ")
