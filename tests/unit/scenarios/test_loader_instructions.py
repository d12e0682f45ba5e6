"""What scenarios.yaml may tell a person to do: never a command that would make the loss worse."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.errors import ConfigError, ExitCode
from uscdr.scenarios.loader import load
from uscdr.scenarios.media.repair import FORBIDDEN

HEAD = """\
version: 1
objectives: {rpo: 4h, rto: 2h}
app: {name: usc-pis}
targets:
  production:
    heroku: {app: usc-pis}
scenarios:
  dns:
    title: Domain
    budget: {assess: 10m, recover: 60m}
    steps:
      - {use: dns.rollback}
      - use: manual
        with: {instruction: "INSTRUCTION"}
"""


def written(tmp_path: Path, instruction: str, follow_up: str = "") -> Path:
    path = tmp_path / "scenarios.yaml"
    path.write_text(HEAD.replace("INSTRUCTION", instruction) + follow_up)
    return path


@pytest.mark.parametrize("command", FORBIDDEN)
@pytest.mark.parametrize("wording", ["heroku run python backend/manage.py {} --app usc-pis", "Now run {}.", "{}"])
def test_an_instruction_that_names_a_forbidden_command_is_refused(tmp_path: Path, command: str, wording: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(written(tmp_path, wording.format(command)))
    assert "scenarios.yaml:14:16: " in refused.value.message
    assert f"`{command}` is refused. {FORBIDDEN[command]}" in refused.value.message
    assert refused.value.exit_code is ExitCode.BAD_INPUT


def test_capitals_do_not_hide_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="restore_campaign_images"):
        load(written(tmp_path, "manage.py RESTORE_CAMPAIGN_IMAGES"))


@pytest.mark.parametrize("instruction", ["Ask the clinic for its copies.", "manage.py restore_campaign", "migrate"])
def test_other_instructions_stand(tmp_path: Path, instruction: str) -> None:
    steps = load(written(tmp_path, instruction)).config.scenarios["dns"].steps
    assert steps[1].with_ == {"instruction": instruction}


def test_a_follow_up_may_warn_of_it(tmp_path: Path) -> None:
    warning = "Never now: manage.py restore_campaign_images"
    path = written(tmp_path, "Look.", f'    follow_up: ["{warning}"]\n')
    assert load(path).config.scenarios["dns"].follow_up == (warning,)
