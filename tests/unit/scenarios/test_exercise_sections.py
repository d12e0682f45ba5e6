"""Exercises, supplies, document, impact and links in scenarios.yaml, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.errors import ConfigError
from uscdr.scenarios.config_file import load_config, packaged
from uscdr.scenarios.loader import load

SMALL = """\
version: 1
objectives: {rpo: 4h, rto: 2h}
app: {name: usc-pis}
targets: {production: {heroku: {app: usc-pis}}}
scenarios: {dns: {title: Domain, budget: {assess: 10m, recover: 60m}, steps: [{use: dns.rollback}]}}
"""
REVIEW = "exercises: [{name: review, title: Review, every: monthly, done_by: record}]\n"
DATES = "in_force: 2025-08-14, last_review: 2025-08-14, next_review: 2025-11-14"


def written(tmp_path: Path, more: str) -> Path:
    path = tmp_path / "scenarios.yaml"
    path.write_text(SMALL + more)
    return path


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("exercises: [{name: a, title: A, every: weekly, done_by: record}]", "`exercises.0.every` should be 'monthly'"),
        ("exercises: [{name: a, title: A, every: monthly, done_by: word}]", "`exercises.0.done_by` should be 'proof'"),
        ("exercises: [{name: A b, title: A, every: monthly, done_by: record}]", "does not have the required form"),
        ("exercises: [{name: a, title: A, every: monthly, done_by: drill}]", "`drills` lists the drills"),
        (
            "exercises: [{name: a, title: A, every: monthly, done_by: record, drills: [db]}]",
            "`drills` lists the drills",
        ),
        ("exercises: [{name: a, title: A, every: monthly, done_by: drill, drills: [dns]}]", "should be 'db'"),
        ("exercises: [{name: document-approval, title: A, every: monthly, done_by: record}]", "is taken"),
        (REVIEW.replace("}]", "}, {name: review, title: R, every: yearly, done_by: record}]"), "'review' is taken"),
        (REVIEW + "supplies: [{name: review, title: R}]", "'review' is taken"),
        (REVIEW + "supplies: [{name: a, title: A}, {name: a, title: A}]", "'a' is taken"),
        (f"{REVIEW}document: {{version: 1, {DATES}}}", "`document.version` should be a valid string"),
        (f'{REVIEW}document: {{version: "1", {DATES}, reviews: [other]}}', "'other', which is no exercise"),
        (f'{REVIEW}document: {{version: "1", {DATES.replace("2025-11", "2025-07")}}}', "must follow each other"),
        (f'{REVIEW}document: {{version: "1", {DATES.replace("11-14", "02-29")}}}', "is not one"),
        ("impact: {criticality: ''}", "`impact.criticality` is empty"),
        *(
            (
                f"communication: {{channels: {{{name}: {{kind: status_file, audience: users, path: x}}}}}}",
                "has one of its own",
            )
            for name in ("outbox", "page")
        ),
        ("links: [{title: A, url: nowhere}]", "is not a web address"),
        ("links: [{title: A, kind: other}]", "`links.0.kind` should be"),
    ],
)
def test_a_mistake_is_said_with_its_place(more: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(written(tmp_path, more))
    assert words in refused.value.message
    assert "scenarios.yaml:" in refused.value.message


def test_without_these_sections_a_file_is_read_as_before(tmp_path: Path) -> None:
    config = load(written(tmp_path, "")).config
    assert (config.exercises, config.supplies, config.document, config.impact, config.links) == ((), (), None, None, ())


def test_the_packaged_file_has_the_runbooks_calendar() -> None:
    config = load(packaged()).config
    assert [one.every for one in config.exercises] == ["monthly"] * 3 + ["quarterly"] * 4 + ["yearly"] * 4
    complete = next(one for one in config.exercises if one.name == "complete-drill")
    assert set(complete.drills) == {"db", "app", "media", "infra", "backups"}
    assert [one.every for one in config.supplies] == ["quarterly"] * 4
    assert config.impact is not None
    assert config.impact.words.startswith("critical infrastructure (healthcare operations")


@pytest.mark.parametrize(
    ("url", "decides"),
    [
        ("https://devcenter.heroku.com/articles/x", []),
        ("https://docs.djangoproject.com/en/stable/", []),
        ("https://wiki.example/", ["links.0.url"]),
        ("https://heroku.com.example/", ["links.0.url"]),
        ("http://devcenter.heroku.com/", ["links.0.url"]),
        ("http://127.0.0.1:8000/", ["links.0.url"]),
    ],
)
def test_only_a_named_file_sends_a_request_to_another_host(url: str, decides: list[str], tmp_path: Path) -> None:
    found = load_config(written(tmp_path, f'links: [{{title: A, url: "{url}"}}]\n'), {})
    assert [one.key for one in found.decides] == decides
