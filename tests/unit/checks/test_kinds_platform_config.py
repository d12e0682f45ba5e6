"""Config variables are compared without a value being told, now or in a baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import pytest
from pydantic import ValidationError

from fake_surroundings import PLANTED, Place, checked, remembering, verdict, world

PUBLIC = "django-insecure-known-to-all"
SPEC: Mapping[str, Any] = {
    "must": {"USE_CLOUDINARY": ["True"], "DEBUG": ["", "False", "false", "0"]},
    "published": {"SECRET_KEY": [sha256(PUBLIC.encode()).hexdigest()]},
    "same": {"CLOUDINARY_CLOUD_NAME": "$cloud"},
}


@pytest.mark.parametrize(
    ("change", "wanted", "words"),
    [
        ({}, "pass", "10 variables, 3 required ones among them; no baseline to compare with"),
        ({"DEBUG": "False"}, "pass", "11 variables"),
        ({"SECRET_KEY": None}, "fail", "not set: SECRET_KEY"),
        ({"SECRET_KEY": "", "REDIS_URL": " "}, "fail", "not set: SECRET_KEY, REDIS_URL"),
        ({"USE_CLOUDINARY": "true"}, "fail", "USE_CLOUDINARY has a wrong value (expected True)"),
        ({"USE_CLOUDINARY": None}, "fail", "USE_CLOUDINARY has a wrong value (expected True)"),
        ({"DEBUG": "True"}, "fail", "DEBUG has a wrong value (expected unset or False or false or 0)"),
        ({"DEBUG": f"1{PLANTED}"}, "fail", "DEBUG has a wrong value"),
        ({"SECRET_KEY": PUBLIC}, "fail", "SECRET_KEY has a publicly known value: replace it"),
        ({"CLOUDINARY_CLOUD_NAME": f"other-{PLANTED}"}, "fail", "CLOUDINARY_CLOUD_NAME does not name the media cloud"),
        ({"CLOUDINARY_CLOUD_NAME": None}, "fail", "CLOUDINARY_CLOUD_NAME does not name the media cloud"),
    ],
)
def test_without_a_baseline(change: Mapping[str, str | None], wanted: str, words: str) -> None:
    found, evidence = verdict(world(changed(change)), "config", **SPEC)
    assert (found, words in evidence, PUBLIC in evidence) == (wanted, True, False), evidence


def changed(change: Mapping[str, str | None]) -> Place:
    place = Place()
    place.vars |= {name: value for name, value in change.items() if value is not None}
    for name in [name for name, value in change.items() if value is None]:
        del place.vars[name]
    return place


@pytest.mark.parametrize(
    ("change", "wanted", "words"),
    [
        ({}, "pass", "changed since the baseline: none"),
        ({"NEW": "x"}, "pass", "changed since the baseline: none"),
        ({"CLOUDINARY_API_SECRET": "another", "SECRET_KEY": "z"}, "pass", ": CLOUDINARY_API_SECRET, SECRET_KEY"),
        ({"DATABASE_URL": "postgres://elsewhere"}, "pass", "changed since the baseline: none"),
        ({"GMAIL_CLIENT_ID": None, "CLOUDINARY_API_KEY": " "}, "fail",
         "missing since the baseline: CLOUDINARY_API_KEY, GMAIL_CLIENT_ID"),
    ],
)  # fmt: skip
def test_against_the_baseline(change: Mapping[str, str | None], wanted: str, words: str) -> None:
    healthy = checked(world(Place()), "config", **SPEC)
    found, evidence = verdict(remembering(world(changed(change)), healthy), "config", **SPEC)
    assert (found, words in evidence) == (wanted, True), evidence


def test_a_baseline_holds_no_value_and_no_plain_digest_of_one() -> None:
    place = Place()
    first, second = (checked(world(place), "config").measures for _ in range(2))
    for measures in (first, second):
        kept = json.dumps(measures)
        assert measures["marks"].keys() == place.vars.keys()
        for value in place.vars.values():
            assert f'"{value}"' not in kept
            assert sha256(value.encode()).hexdigest()[:16] not in kept
    assert first["salt"] != second["salt"]
    assert not set(first["marks"].values()) & set(second["marks"].values())


def test_a_cloud_that_is_not_known_cannot_be_compared_with() -> None:
    assert verdict(world(Place(), cloud=""), "config", **SPEC)[0] == "inconclusive"
    assert verdict(world(changed({"DEBUG": "True"}), cloud=""), "config", **SPEC)[0] == "fail"


@pytest.mark.parametrize(
    "wrong", [{"published": {"A": ["plain"]}}, {"same": {"A": "$domain"}}, {"must": {"A": "True"}}]
)
def test_what_scenarios_yaml_may_not_say(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        verdict(world(Place()), "config", **wrong)
