"""What a sandbox is as a target: how its domain is edited, and what an application in it is asked."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from uscdr.errors import BadInput
from uscdr.scenarios.config import SANDBOX
from uscdr.scenarios.config_file import load_config, packaged
from uscdr.scenarios.config_page import MaintenancePage
from uscdr.scenarios.loader import load
from uscdr.wiring.maintenance_page import page_access
from uscdr.wiring.sandbox_target import target_of
from uscdr.wiring.targets import find_target

ACCOUNTS = [{"cloud": "usc-pis", "api_key": "1", "api_secret": "s"}]
HERE = "http://127.0.0.1:1"
FACTS: Mapping[str, Any] = {
    "source": {"git": "/nowhere", "ref": "main"},
    "identity": "4f2a9c",
    "manage": "python manage.py",
    "web_url": HERE,
    "ca_file": "/nowhere",
    "check_account": {"email": "a@example.com", "password": "p"},
    "heroku": {"app": "usc-pis", "token": "t", "api_url": HERE, "data_url": HERE, "status_url": HERE},
    "cloudinary": {"cloud": "usc-pis", "api_url": HERE, "delivery_url": HERE, "status_url": HERE,
        "accounts": ACCOUNTS},
    "dns": {
        "zone": "a.example", "hostname": "www.a.example", "server": "127.0.0.1", "port": 1, "key_name": "k",
        "key": "a2V5",
        "algorithm": "hmac-sha256", "name_servers": ["127.0.0.1:1"], "cloudflare": {"base_url": HERE, "token": "t"},
    },
}  # fmt: skip


@pytest.mark.parametrize("adapter", ["", "rfc2136", "cloudflare", "manual"])
def test_it_is_edited_as_the_environment_says(adapter: str) -> None:
    place = target_of(load(packaged()), {"USCDR_SANDBOX_DNS": adapter}, FACTS)
    assert place.services.dns is not None
    assert place.services.dns.adapter == (adapter or "rfc2136")


def test_an_unknown_adapter_is_named() -> None:
    with pytest.raises(BadInput, match="bind") as refused:
        target_of(load(packaged()), {"USCDR_SANDBOX_DNS": "bind"}, FACTS)
    assert "rfc2136, cloudflare, manual" in refused.value.next_action


def test_two_sandboxes_in_a_row_are_two_places_though_all_else_is_the_same() -> None:
    first, second = (target_of(load(packaged()), {}, {**FACTS, "identity": one}) for one in ("4f2a9c", "51d0e7"))
    assert (first.services, first.name) == (second.services, second.name)
    assert first.key != second.key
    assert first.key.startswith(second.key.rpartition(" ")[0])


SPACE = {"page_url": f"{HERE}/maintenance.html", "directory": "/nowhere/web-space"}


@pytest.mark.parametrize("facts", [FACTS, {**FACTS, "web_space": SPACE}])
def test_a_drill_never_writes_the_page_that_users_read(facts: Mapping[str, Any], tmp_path: Path) -> None:
    """The operator's own file may name it; a sandbox has a page of its own, or none."""
    own = "maintenance_page: {url: https://status.example/m.html, to: s3://usc-pis-status}"
    file = tmp_path / "scenarios.yaml"
    file.write_text(f"{packaged().read_text()}\n{own}\n")
    assert load(file).config.maintenance_page is not None
    page = target_of(load(file), {}, facts).config.maintenance_page
    assert (page.url if page else "") == (facts["web_space"]["page_url"] if "web_space" in facts else "")


@pytest.mark.parametrize("identity", ["4f2a9c", ""])
@pytest.mark.parametrize("wrong", [{"to": "s3://usc-pis-status"}, {"url": "https://status.example/m.html"}])
def test_a_page_elsewhere_is_not_opened_for_a_platform_on_this_machine(wrong: dict[str, str], identity: str) -> None:
    """Whether it is the built-in target, or one of a file that names the sandbox's addresses."""
    target = replace(target_of(load(packaged()), {}, {**FACTS, "web_space": SPACE}), identity=identity, ca_file=None)
    with page_access(target, {}) as opened:
        assert opened is not None
    page = {"url": SPACE["page_url"], "to": SPACE["directory"], **wrong}
    elsewhere = target.config.model_copy(update={"maintenance_page": MaintenancePage.model_validate(page)})
    with pytest.raises(BadInput, match="outside this machine"), page_access(replace(target, config=elsewhere), {}):
        pass


OTHER = {**FACTS, "check_account": None}
"""A sandbox with an application that is not the clinic."""
CHOSEN = ("--config", "USCDR_CONFIG", "a changed file in the user's directory")


@pytest.mark.parametrize("how", CHOSEN)
def test_another_application_is_asked_what_its_operators_file_says(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    text = packaged().read_text()
    own = tmp_path / "uscdr" / "scenarios.yaml"
    own.parent.mkdir()
    own.write_text(text.replace("rpo: 4h", "rpo: 5h") if how == CHOSEN[2] else text)
    env = {"USCDR_CONFIG": str(own)} if how == "USCDR_CONFIG" else {}
    loaded = load_config(own if how == "--config" else None, env)
    place = target_of(loaded, env, OTHER)
    assert place.config.checks == loaded.config.checks
    assert place.config.after_recovery == loaded.config.after_recovery
    assert place.config.invariants == loaded.config.invariants
    assert place.config.app.manage == FACTS["manage"]
    assert (place.services.cloudinary is not None, place.services.dns is not None) == (True, True)
    assert place.account is None


@pytest.mark.parametrize("copied", [True, False], ids=["a copy of the packaged file", "no file"])
def test_without_a_file_of_its_own_it_is_asked_what_holds_for_any(
    copied: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if copied:
        (tmp_path / "uscdr").mkdir()
        (tmp_path / "uscdr" / "scenarios.yaml").write_bytes(packaged().read_bytes())
    place = target_of(load_config(None, {}), {}, OTHER)
    assert place.config.after_recovery == ("application-answers",)
    assert place.services.cloudinary is None


def test_the_account_of_another_application_comes_from_the_environment() -> None:
    env = {"USCDR_CHECK_TOKEN": "t" * 40}
    account = target_of(load(packaged()), env, OTHER).account
    assert account is not None
    assert account.token is not None
    assert account.token.get_secret_value() == "t" * 40
    clinic = target_of(load(packaged()), env, FACTS).account
    assert clinic is not None
    assert clinic.email == "a@example.com"


@pytest.mark.parametrize(
    ("part", "address"),
    [
        (("heroku", "api_url"), "https://api.heroku.com"),
        (("heroku", "data_url"), "http://127.0.0.1.evil.example"),
        (("cloudinary", "api_url"), "http://10.0.0.1"),
        (("dns", "server"), "192.0.2.1"),
        (("web_url",), "https://evil.example/"),
        (("web_space", "page_url"), "https://evil.example/m.html"),
    ],
)
def test_a_contract_that_names_another_machine_is_none(part: tuple[str, ...], address: str) -> None:
    facts = copy.deepcopy({**FACTS, "web_space": SPACE})
    inside = facts
    for key in part[:-1]:
        inside = inside[key]
    inside[part[-1]] = address
    with pytest.raises(ValueError, match="another machine"):
        target_of(load(packaged()), {}, facts)


@pytest.mark.parametrize(("of", "mode"), [("directory", 0o755), ("directory", 0o770), ("file", 0o622)])
def test_a_contract_that_others_could_have_written_is_refused(of: str, mode: int, tmp_path: Path) -> None:
    directory = tmp_path / "sandbox"
    directory.mkdir(mode=0o700)
    path = directory / "sandbox.json"
    path.write_text(json.dumps({**FACTS, "pid": 1, "pid_started": "1"}))
    path.chmod(0o600)
    (directory if of == "directory" else path).chmod(mode)
    with pytest.raises(BadInput, match="Another user may have written"):
        find_target(load(packaged()), SANDBOX, {"USCDR_STATE_DIR": str(tmp_path)})
    directory.chmod(0o700)
    path.chmod(0o600)
    assert find_target(load(packaged()), SANDBOX, {"USCDR_STATE_DIR": str(tmp_path)}).name == SANDBOX
