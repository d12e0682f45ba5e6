"""`app.write_check`: a name, or a name and whether an application may lack it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from uscdr.scenarios.config_app import ApplicationConfig, WriteCheck
from uscdr.scenarios.loader import load

ROOT = Path(__file__).parents[3]


def test_a_bare_name_is_a_command_that_the_application_has() -> None:
    given = ApplicationConfig.model_validate({"name": "clinic", "write_check": "try_saving"})
    assert given.write_check == WriteCheck(command="try_saving", optional=False)
    assert ApplicationConfig(name="clinic").write_check is None


@pytest.mark.parametrize("name", ["", "try saving", "try;saving", "--help", "Try", {"optional": True}])
def test_what_is_no_command_is_refused(name: object) -> None:
    with pytest.raises(ValidationError):
        ApplicationConfig.model_validate({"name": "clinic", "write_check": name})


def test_the_packaged_file_asks_for_it_where_the_application_has_it() -> None:
    assert load(ROOT / "scenarios.yaml").config.app.write_check == WriteCheck(command="write_check", optional=True)
