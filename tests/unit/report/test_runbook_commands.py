"""The runbook: every step of every scenario has a command that a person can type, for the right application."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from uscdr.errors import BadInput
from uscdr.report.runbook import Runbook
from uscdr.scenarios.config import Config, Scenario, StepEntry
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load
from uscdr.scenarios.registry import STEPS

PACKAGED = load(packaged()).config
OLD, NEW = "usc-pis", "usc-pis-recovery"
AIMED = re.compile(r"--app (\S+)")


def manual(config: Config, scenario: str) -> dict[str, list[str]]:
    """Commands by title."""
    found = {}
    for row in Runbook(config, scenario).rows():
        assert isinstance(row["manual"], list)
        found[str(row["title"])] = row["manual"]
    return found


def changed(tmp_path: Path, old: str, new: str) -> Config:
    text = packaged().read_text()
    assert old in text
    (tmp_path / "scenarios.yaml").write_text(text.replace(old, new))
    return load(tmp_path / "scenarios.yaml").config


@pytest.mark.parametrize("scenario", PACKAGED.scenarios)
def test_every_step_has_a_command_without_a_gap(scenario: str) -> None:
    commands = manual(PACKAGED, scenario)
    assert len(commands) == len(PACKAGED.scenarios[scenario].steps)
    assert [title for title, lines in commands.items() if not lines] == []
    assert [line for lines in commands.values() for line in lines if re.search(r"[{}]", line)] == []


def test_every_step_that_there_is_can_be_shown() -> None:
    entries = [StepEntry.model_validate({"use": name, "with": _needed(name)}) for name in STEPS]
    every = Scenario.model_validate({"title": "All", "budget": {"assess": "1m"}, "steps": entries})
    shown = list(Runbook(PACKAGED.model_copy(update={"scenarios": {"infra": every}}), "infra").rows())
    assert [row["step"] for row in shown] == list(STEPS)
    assert all(row["manual"] for row in shown)


def _needed(step: str) -> dict[str, object]:
    needed: dict[str, dict[str, object]] = {
        "heroku.maintenance": {"enabled": True},
        "heroku.start": {"part": "web"},
        "infra.addon": {"service": "heroku-postgresql"},
        "manual": {"instruction": "Look."},
    }
    return needed.get(step, {})


def test_the_new_application_is_named_once_it_exists() -> None:
    commands = manual(PACKAGED, "infra")
    titles = list(commands)
    created = titles.index("Create the application")
    before = {app for title in titles[:created] for line in commands[title] for app in AIMED.findall(line)}
    assert before == {OLD}
    aimed = {(title, app) for title in titles[created:] for line in commands[title] for app in AIMED.findall(line)}
    assert {title for title, app in aimed if app == OLD} == {
        "Stop the old application",
        "Capture the last writes",
        "Choose the dump to load",
        "Move the hostnames",
        "List what the old application still has",
    }
    assert {app for _, app in aimed} == {OLD, NEW}


@pytest.mark.parametrize("scenario", ["db", "app", "media"])
def test_elsewhere_there_is_only_one(scenario: str) -> None:
    assert {app for lines in manual(PACKAGED, scenario).values() for line in lines for app in AIMED.findall(line)} <= {
        OLD
    }


def test_what_scenarios_yaml_says_stands_in_the_commands(tmp_path: Path) -> None:
    config = changed(tmp_path, "  app: usc-pis-recovery\n", "  app: clinic-b\n  backup_hour: 4\n")
    infra = manual(config, "infra")
    assert infra["Create the application"] == ["heroku create clinic-b --no-remote"]
    assert infra["Create the database"] == ["heroku addons:create heroku-postgresql:essential-0 --app clinic-b --wait"]
    assert "04:00 Asia/Manila" in infra["Schedule daily backups"][0]
    assert "GMAIL_REFRESH_TOKEN=$GMAIL_REFRESH_TOKEN" in infra["Enable mail"][0]
    assert "heroku/nodejs" in infra["Set the buildpacks"][0]
    assert infra["Set the buildpacks"][0].index("heroku/nodejs") < infra["Set the buildpacks"][0].index("heroku/python")


def test_the_domain_is_changed_as_its_adapter_does(tmp_path: Path) -> None:
    assert "$HOSTNAME" in manual(PACKAGED, "infra")["Switch the domain"][0]
    dns = "dns: {adapter: rfc2136, zone: a.example, hostnames: [www.a.example], server: 192.0.2.1, key_name: k}"
    config = changed(tmp_path, "dns: {adapter: manual, zone: usc-pis.example}", dns)
    switch = manual(config, "infra")["Switch the domain"][0]
    assert switch.startswith("nsupdate -k $KEY_FILE")
    assert "prereq yxrrset www.a.example CNAME $OLD_TARGET" in switch
    assert "dig www.a.example CNAME" in manual(config, "infra")["Check the domain before the switch"][0]


def test_a_target_without_a_domain_has_names_to_fill_in(tmp_path: Path) -> None:
    config = changed(tmp_path, "    dns: {adapter: manual, zone: usc-pis.example}\n", "")
    assert "$ZONE" in manual(config, "infra")["Switch the domain"][0]


def test_secrets_have_names_and_no_values() -> None:
    lines = [line for name in PACKAGED.scenarios for all_ in manual(PACKAGED, name).values() for line in all_]
    assigned = [pair for line in lines for pair in re.findall(r"\b[A-Z][A-Z_]+=(\S+)", line)]
    assert assigned
    assert {value for value in assigned if not value.startswith(("$", "…"))} == {
        "True",
        "1",
    }  # DEBUG and the like, ON_ERROR_STOP


@pytest.mark.parametrize(
    ("scenario", "command"),
    [
        ("db", "`uscdr recover db`"),
        ("app", "`uscdr recover app`"),
        ("media", "`uscdr recover media` (restore copies from a kit: `--kit newest`"),
        ("infra", "`uscdr recover infra` (if the old application does not answer: `--kit newest`"),
        ("dns", "`uscdr dns rollback`"),
    ],
)
def test_the_tools_own_command_stands_first(scenario: str, command: str) -> None:
    assert f"With uscdr: {command}" in Runbook(PACKAGED, scenario).to_markdown()


def test_nobody_is_told_to_run_what_destroys_more() -> None:
    text = Runbook(PACKAGED).to_markdown()
    assert "Never now: manage.py deleteorphanedmedia" in text
    assert re.search(r"^ +- .*(deleteorphanedmedia|restore_campaign_images)", text, re.MULTILINE) is None


def test_an_unknown_scenario_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput) as refused:
        Runbook(PACKAGED, "fire").to_markdown()
    assert all(name in refused.value.next_action for name in ("db", "app", "media", "infra"))
