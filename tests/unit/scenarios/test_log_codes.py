"""Codes in a log are counted and explained; not a word of the log itself comes out."""

from datetime import UTC, datetime

import pytest

from uscdr.scenarios.diagnosis import CODES, ERRORS, LogCode

AT = "2026-11-23T10:00:0{}.000000+00:00"


def line(second: int, source: str, text: str) -> str:
    return f"{AT.format(second)} {source}: {text}"


def router(second: int, code: str, path: str = "/") -> str:
    return line(second, "heroku[router]", f'at=error code={code} desc="x" method=GET path="{path}" host=x')


def test_codes_are_counted_with_the_last_time() -> None:
    found = LogCode.in_lines([router(1, "H10"), router(3, "H10"), router(2, "H12"), "not a log line", ""])
    assert [(one.code, one.count) for one in found] == [("H10", 2), ("H12", 1)]
    assert found[0].last_seen == datetime(2026, 11, 23, 10, 0, 3, tzinfo=UTC)
    assert "crashed" in found[0].meaning
    assert found[0].hint


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("heroku[web.1]: Error R10 (Boot timeout) -> Web process failed to bind to $PORT", "R10"),
        ("heroku[web.1]: Error R14 (Memory quota exceeded)", "R14"),
        ("heroku[worker.2]: Error R15 (Memory quota vastly exceeded)", "R15"),
        ("heroku[logplex]: Error L10 (output buffer overflow): 500 messages dropped", "L10"),
        ("heroku[web.1]: State changed from starting to crashed", "crashed"),
        ("heroku[router]: at=error code=H98 desc=x", "H98"),
        ("app[web.1]: [2026-11-23] [4] [CRITICAL] WORKER TIMEOUT (pid:7)", "worker timeout"),
    ],
)
def test_what_the_platform_says(text: str, code: str) -> None:
    (found,) = LogCode.in_lines([f"{AT.format(0)} {text}"])
    assert found.code == code
    assert found.meaning
    assert found.hint


def test_an_application_cannot_pretend_to_be_the_platform() -> None:
    assert LogCode.in_lines([line(1, "app[web.1]", "at=error code=H10"), line(1, "app[web.1]", "Error R14 (x)")]) == ()
    (found,) = LogCode.in_lines([router(1, "H12", 'x" at=error code=H10')])
    assert found.code == "H12"


TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/app/patients/views.py", line 3, in show',
    "    raise Wrong(patient.name)",
]


def test_of_a_traceback_only_the_type_comes_out() -> None:
    last = "django.db.utils.OperationalError: connection of Maria Santos refused"
    found = LogCode.in_lines([line(1, "app[web.1]", text) for text in [*TRACEBACK, last]])
    assert [(one.code, one.count) for one in found] == [("django.db.utils.OperationalError", 1)]
    assert "database" in found[0].meaning
    assert "Maria" not in repr(found)


@pytest.mark.parametrize("last", ["MariaSantos: seen", "Santos, Maria", "Maria Santos has an Error: x", "Maria"])
def test_a_last_line_that_is_no_type_is_not_quoted(last: str) -> None:
    found = LogCode.in_lines([line(1, "app[web.1]", text) for text in [*TRACEBACK, last]])
    assert [one.code for one in found] == ["error"]
    assert "Maria" not in repr(found)


def test_tracebacks_of_two_processes_are_told_apart() -> None:
    mixed = []
    for text in TRACEBACK:
        mixed += [line(1, "app[web.1]", text), line(1, "app[worker.1]", text)]
    mixed += [line(2, "app[worker.1]", "KeyError: 'x'"), line(3, "app[web.1]", "ValueError")]
    assert {one.code for one in LogCode.in_lines(mixed)} == {"KeyError", "ValueError"}


def test_a_traceback_that_led_to_another_counts_both() -> None:
    between = ["KeyError: 'x'", "", "During handling of the above exception, another exception occurred:", ""]
    found = LogCode.in_lines(
        [line(1, "app[web.1]", text) for text in [*TRACEBACK, *between, *TRACEBACK, "ImportError: y"]]
    )
    assert [one.code for one in found] == ["ImportError", "KeyError"]


def test_a_line_without_a_readable_time_is_counted() -> None:
    (found,) = LogCode.in_lines([router(1, "H10").replace("2026-11-23T10", "yesterday")])
    assert (found.code, found.last_seen) == ("H10", None)


def test_a_log_of_nothing_but_different_errors_is_bounded() -> None:
    lines = [line(1, "app[web.1]", text) for n in range(500) for text in [*TRACEBACK, f"x{n}.OddError: {n}"]]
    assert len(LogCode.in_lines(lines)) <= 200


def test_every_code_has_words() -> None:
    for words in (*CODES.values(), *ERRORS.values()):
        assert words.meaning.endswith(".")
        assert words.hint.endswith((".", "?"))
