"""A malformed check is refused with line, column and what is allowed, before anything is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from uscdr.checks.check import CheckSpec
from uscdr.checks.registry import SPECS
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


NOTHING = "requires nothing"
AT = "@"
"""Stands where the fault is."""
EMPTY: list[tuple[str, list[str]]] = [
    ("{kind: http, path: /, json: {@role: {}}}",
     [NOTHING, "`checks.bad.json.role`", "{filled: true}", "{exists: false}"]),
    ("{kind: http, path: /, json: {@a: {equals: null}}}", [NOTHING]),
    ("{kind: http, path: /, json: {a: {@minimum: -.inf}}}", ["finite number"]),
    ("{kind: http, path: /, json: {a: {@filled: false}}}", ["True"]),
    ("{kind: http, path: /, json: {@a: {exists: false, equals: 1}}}", ["{exists: false} alone"]),
    ("{kind: http, path: /, json: {@'': 1}}", ["a name is empty"]),
    ("{kind: http, path: /, @json: {}}", [NOTHING, "`checks.bad.json`", "remove the field"]),
    ("{kind: http, path: /, @contains: ''}", ["should be a list"]),
    ("{kind: http, path: /, @contains: []}", [NOTHING]),
    ("{kind: http, path: /, @contains: [a, '']}", ["one of its texts is empty", NOTHING]),
    ("{kind: http, path: /, @lacks: []}", [NOTHING]),
    ("{kind: http, path: /, @lacks: ['']}", ["one of its texts is empty"]),
    ("{kind: http, path: /, @starts_with: ''}", [NOTHING]),
    ("{kind: http, path: /, @headers: {}}", [NOTHING]),
    ("{kind: http, path: /, @min_bytes: 0}", ["greater than or equal to 1"]),
    ("{kind: http, path: /, @below: 600}", ["less than 600"]),
    ("{kind: http, path: /, @status: 999}", ["less than 600"]),
    ("{kind: http, path: /, @follow: ''}", ["the required form"]),
    ("{kind: http, path: /, @follow_link: ''}", [NOTHING]),
    ("{kind: http, path: /, @follow_link: src}", ["a pattern with one group"]),
    ("{kind: http, path: /, @follow_link: '('}", ["this is not a valid pattern"]),
    ("{kind: http, path: /, @image: ' '}", [NOTHING]),
    ("{kind: agree, path: /, @json: '', query: SELECT 1}", ["is empty"]),
    ("{kind: agree, path: /, json: a, @query: ' '}", [NOTHING]),
    ("{kind: sql, @query: ''}", ["is empty"]),
    ("{kind: sql, query: SELECT 1, @minimum: -.inf}", ["finite number"]),
    ("{kind: sql, query: SELECT 1, @shrink: 1}", ["less than 1"]),
    ("{kind: rows, @tables: []}", [NOTHING]),
    ("{kind: rows, @minimum: {}}", [NOTHING]),
    ("{kind: rows, minimum: {@patients_patient: 0}}", ["greater than or equal to 1"]),
    ("{kind: freshness, @columns: []}", [NOTHING]),
    ("{kind: content, @tables: []}", ["needs at least one"]),
    ("{kind: foreign_keys, @minimum: 0}", ["greater than or equal to 1"]),
    ("{kind: decrypt, @sample: 0}", ["greater than or equal to 1"]),
    ("{kind: passwords, @published: [], query: SELECT 1}", ["needs at least one"]),
    ("{kind: passwords, @published: [''], query: SELECT 1}", ["one of its texts is empty"]),
    ("{kind: dynos, @only: []}", [NOTHING]),
    ("{kind: addons, @services: []}", ["needs at least one"]),
    ("{kind: addons, @services: ['']}", ["one of its texts is empty"]),
    ("{kind: config, @must: {}}", [NOTHING]),
    ("{kind: config, @must: {DEBUG: []}}", ["`DEBUG` is empty", NOTHING]),
    ("{kind: config, @published: {}}", [NOTHING]),
    ("{kind: config, @published: {SECRET_KEY: []}}", ["`SECRET_KEY` is empty"]),
    ("{kind: config, @same: {}}", [NOTHING]),
    ("{kind: log, lines: 10, most: 10}", ["`most` must be less than `lines`"]),
    ("{kind: monitoring, @services: []}", [NOTHING]),
    ("{kind: monitoring, @variables: []}", [NOTHING]),
    ("{kind: media, @sample: 0}", ["greater than or equal to 1"]),
    ("{kind: mail, @client_id: ''}", [NOTHING]),
    ("{kind: queue, @queues: []}", [NOTHING]),
    ("{kind: queue, @variable: ''}", [NOTHING]),
    ("{kind: tls, @hostnames: []}", [NOTHING]),
    ("{kind: canary, path: /, json_body: {}, @expect: {}}", [NOTHING]),
    ("{kind: canary, path: /, @upload: ''}", [NOTHING]),
    ("{kind: canary, path: /, upload: f, @fetch: ''}", [NOTHING]),
    ("{kind: canary, path: /, upload: f, leftovers: {path: /, @name: ''}}", ["is empty"]),
    ("{kind: manual, @question: ''}", [NOTHING]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "words"), EMPTY, ids=[check.replace(AT, "") for check, _ in EMPTY])
def test_a_check_that_demands_nothing_is_refused(tmp_path: Path, check: str, words: list[str]) -> None:
    message = refused(tmp_path, TEXT.replace("CHECK", check.replace(AT, "")))
    column = f"  bad: {check}".index(AT) + 1 if AT in check else 3
    assert f"scenarios.yaml:9:{column}: " in message, message
    assert [word for word in words if word not in message] == [], message


EMPTINESS: tuple[object, ...] = ("", [], {})
FIELDS = {kind: spec.model_fields.keys() - CheckSpec.model_fields.keys() - {"kind"} for kind, spec in SPECS.items()}


@pytest.mark.parametrize("kind", FIELDS)
def test_every_field_of_every_kind_says_something_or_may_be_empty(kind: str) -> None:
    """A new field is held to the rule without a line of its own."""
    spec = SPECS[kind]
    for name in FIELDS[kind] - spec.may_be_empty:
        written = spec.model_fields[name].alias or name
        for empty in EMPTINESS:
            with pytest.raises(ValidationError) as refusal:
                spec.model_validate({"kind": kind, written: empty})
            assert any(one["loc"][:1] == (written,) for one in refusal.value.errors()), (name, empty)


@pytest.mark.parametrize(
    "check",
    [
        "{kind: http, path: /a/, method: POST, json_body: {}, status: 400, json: {role: {filled: true}}}",
        "{kind: http, path: /, headers: {X-Frame-Options: ''}}",
        "{kind: http, path: /, json: {a: {exists: true}, b: '', c: {minimum: 0}, d: {exists: false}}}",
        "{kind: http, path: /, max_bytes: 0}",
        "{kind: sql, query: SELECT 1, equals: ''}",
        "{kind: config, must: {DEBUG: ['', 'False']}}",
        "{kind: queue, first: ''}",
    ],
)
def test_what_is_empty_and_says_something_is_taken(tmp_path: Path, check: str) -> None:
    path = tmp_path / "scenarios.yaml"
    path.write_text(TEXT.replace("CHECK", check))
    assert "bad" in load(path).config.checks


WRITING = ("{kind: session}", "{kind: canary, path: /a/, upload: file, remove: '/a/{id}/'}")


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
