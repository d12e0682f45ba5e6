"""What the sandbox's commands say: numbers as everywhere, and what to type next."""

from __future__ import annotations

import pytest

from uscdr.sandbox import describe

CONTRACT = {"heroku": {"app": "usc-pis"}, "web_url": "http://127.0.0.1:1/"}


def test_up_says_what_to_type_next_unless_the_sandbox_is_elsewhere() -> None:
    lines = describe.up(CONTRACT, elsewhere=False)
    assert lines[0] == "usc-pis is up at http://127.0.0.1:1/"
    assert lines[1].startswith("Next:  uscdr sandbox break db --how drop-table")
    assert "uscdr --target sandbox recover db --dry-run" in lines[2]
    assert describe.up(CONTRACT, elsewhere=True) == lines[:1]


@pytest.mark.parametrize(
    ("part", "how", "command"),
    [
        ("media", "deleted", "recover media --dry-run"),
        ("service", "broker-gone", "verify all"),
        ("infra", "app-gone", "recover infra --dry-run"),
        ("infra", "addon-gone", "recover infra --in-place-if-possible --dry-run"),
    ],
)
def test_after_damage_the_next_command_is_named(part: str, how: str, command: str) -> None:
    assert describe.after_damage(part, how) == f"Next:  uscdr --target sandbox {command}"


def test_status_has_sizes_times_and_numbers_as_every_screen() -> None:
    transfer = describe._Transfer(
        name="b001", succeeded=True, bytes=292751, started_at="2026-11-29T21:55:08.100+00:00",
        finished_at="2026-11-29T21:55:09Z", seconds=1.25,
    )  # fmt: skip
    app = describe._App(
        name="usc-pis", web_url="http://x/", owner="a@b.example", mails=1, maintenance=False, release=8, dynos=[],
        addons=[], transfers=[transfer],
    )  # fmt: skip
    lines = describe.status({"running": True, "apps": [app]})
    assert lines[1:] == ["  of a@b.example, 1 mail sent", "  b001: succeeded, 292.8 kB, 2026-11-29 21:55 UTC"]
