"""The README, typed line by line on a sandbox, by somebody with an empty HOME."""

from __future__ import annotations

from newcomer import README, ROOT, Newcomer, follow, lines, unread


def test_every_line_works_as_it_stands(newcomer: Newcomer) -> None:
    assert sum(line.is_run for line in lines(README)) > 20
    follow(README, newcomer)


def test_what_is_not_run_is_a_command_line_of_the_program() -> None:
    assert "uscdr watch --for 24h --every 10m" in unread(README)


def test_what_it_begins_with_are_targets_that_a_fresh_machine_makes() -> None:
    first = [line.text for line in lines(README) if line.section == "Try it: two commands"]
    assert first == ["make drill", "make test"]
    assert set(first) <= set((ROOT / ".ci" / "run").read_text().splitlines())
