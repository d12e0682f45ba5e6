"""A malformed check is refused with line, column and what is allowed, before anything is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.errors import ConfigError
from uscdr.scenarios.loader import load

TEXT = """\
version: 1
objectives: {rpo: 4h, rto: 2h}
app: {name: usc-pis}
targets:
  production:
    heroku: {app: usc-pis}
checks:
  home: {kind: http, path: /}
  bad: CHECK
checklists:
  db: {title: Database, items: [{item: It works, checks: [home, bad]}]}
after_recovery: [home]
scenarios:
  dns:
    title: Domain
    budget: {assess: 10m, recover: 60m}
    steps: [{use: dns.rollback}]
"""


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "scenarios.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load(path)
    return error.value.message


@pytest.mark.parametrize(
    ("check", "place", "words"),
    [
        ("{kind: http, path: /, foo: 1}", "9:30", ["`foo` is not known", "follow", "within"]),
        ("{kind: htp, path: /}", "9:3", ["`checks.bad` needs a `kind`", "http", "tls"]),
        ("{path: /}", "9:3", ["needs a `kind`"]),
        ("{kind: rows, shrnk: 3}", "9:21", ["`shrnk`", "shrink", "tables"]),
        ("{kind: rows, shrink: 9}", "9:21", ["`checks.bad.shrink`", "less than or equal to 1"]),
        ("{kind: sql, query: SELECT 1}", "9:3", ["cannot fail"]),
        ("{kind: http, path: nope}", "9:21", ["`checks.bad.path`"]),
        ("{kind: http, path: /, json: {a: {minimm: 2}}}", "9:41", ["`minimm`", "minimum"]),
        ("{kind: http, path: /, timeout: soon}", "9:30", ["90s, 10m"]),
        ("{kind: http, path: /a/, method: POST}", "9:3", ["refusal"]),
        ("{kind: http, path: /a/, method: POST, status: 400, json_body: {a: 1}}", "9:3", ["empty form"]),
        ("{kind: http, path: /api/auth/logout/, method: POST, status: 400, auth: true}", "9:3", ["logout"]),
        ("{kind: http, path: /a/, method: DELETE, status: 401}", "9:32", ["GET"]),
        ("{kind: canary, path: /a/, upload: f, remove: /a/}", "9:3", ["{id}"]),
        ("{kind: manual}", "9:3", ["question"]),
        ("[1]", "9:3", ["checks.bad"]),
    ],
)
def test_a_malformed_check(tmp_path: Path, check: str, place: str, words: list[str]) -> None:
    message = refused(tmp_path, TEXT.replace("CHECK", check))
    assert f"scenarios.yaml:{place}: " in message, message
    assert [word for word in words if word not in message] == [], message


WRITING = (
    "{kind: session}",
    "{kind: canary, path: /a/, upload: file, remove: '/a/{id}/'}",
)


@pytest.mark.parametrize("check", WRITING)
def test_a_recovery_ends_with_no_check_that_writes(tmp_path: Path, check: str) -> None:
    text = TEXT.replace("CHECK", check).replace("after_recovery: [home]", "after_recovery: [home, bad]")
    message = refused(tmp_path, text)
    assert "scenarios.yaml:12:24: `bad` writes to the application" in message
    assert "--allow-writes" in message


@pytest.mark.parametrize("check", ["{kind: rows}", "{kind: dynos}", "{kind: sql, query: SELECT 1, equals: 1}"])
def test_a_recovery_may_end_with_any_other_check(tmp_path: Path, check: str) -> None:
    path = tmp_path / "scenarios.yaml"
    path.write_text(TEXT.replace("CHECK", check).replace("after_recovery: [home]", "after_recovery: [home, bad]"))
    assert load(path).config.after_recovery == ("home", "bad")


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("checks: [home, bad]", "checks: [home, bed]", "11:65", ["`bed`", "bad, home"]),
        ("checks: [home, bad]", "checks: [home]", "9:3", ["no checklist names"]),
        ("after_recovery: [home]", "after_recovery: [hom]", "12:18", ["`hom`"]),
        ("after_recovery: [home]", "after_recovery: [bad]", "12:18", ["asks a person"]),
        ("  db: {title", "  base: {title", "11:3", ["db"]),
        ("  bad: ", "  Bad Name: ", "9:3", ["Bad Name"]),
    ],
)
def test_names_that_do_not_fit_together(tmp_path: Path, old: str, new: str, place: str, words: list[str]) -> None:
    text = TEXT.replace("CHECK", "{kind: manual, question: Well?}")
    assert old in text
    message = refused(tmp_path, text.replace(old, new, 1))
    assert f"scenarios.yaml:{place}: " in message, message
    assert [word for word in words if word not in message] == [], message
