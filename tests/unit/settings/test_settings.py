"""Where state lives, and who is at the keyboard."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from uscdr.checks.kinds.http import HttpCheck
from uscdr.errors import BadInput, MachineError
from uscdr.scenarios.config import SANDBOX
from uscdr.scenarios.config_file import load_config, packaged
from uscdr.settings import Directories, Operator, is_gone, user_path
from uscdr.wiring.context import known_secrets
from uscdr.wiring.sandbox_target import _any_django_application
from uscdr.wiring.targets import find_target, with_scratch


def test_the_state_directory_is_as_given_or_the_systems() -> None:
    assert Directories({"USCDR_STATE_DIR": "/x/y"}).state == Path("/x/y")
    assert Directories({}).state.name == "uscdr"
    assert Directories({"USCDR_STATE_DIR": ""}).state.name == "uscdr"
    assert Directories({}).config.name == "uscdr"


def test_the_state_directory_does_not_depend_on_where_the_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Directories({"USCDR_STATE_DIR": "x"}).state == tmp_path / "x"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Directories({"USCDR_STATE_DIR": "~/x"}).state == tmp_path / "x"
    for relative in ("a/home", "."):
        monkeypatch.setenv("HOME", relative)
        looks: tuple[Callable[[], Path], ...] = (lambda: Directories({}).state, lambda: Directories({}).config)
        for look in looks:
            with contextlib.suppress(MachineError):  # by an older platformdirs
                assert look().is_absolute()


def test_a_user_without_a_home_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: object) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    looks: tuple[Callable[[], Path], ...] = (
        lambda: Directories({}).state,
        lambda: Directories({}).home,
        lambda: user_path("~/kits"),
    )
    for look in looks:
        with pytest.raises(MachineError, match="uscdr cannot find this user's home directory"):
            look()
    assert Directories({"HOME": "/x"}).home == Path("/x")


def test_a_process_is_gone_when_nothing_has_its_id() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert is_gone(process.pid)
    assert not is_gone(os.getpid())
    assert not is_gone(1)
    assert not is_gone(10**30)


def test_the_number_of_a_thread_is_no_process() -> None:
    """A holder that is dead is not kept alive by a thread of another program that was given its number."""
    asked, done = threading.Event(), threading.Event()
    numbers: list[int] = []

    def work() -> None:
        numbers.append(threading.get_native_id())
        asked.set()
        done.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert asked.wait(60)
        assert is_gone(numbers[0])
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(
    ("env", "user"),
    [
        ({"USCDR_OPERATOR": "Ada", "USER": "root"}, "Ada"),
        ({"USER": "root"}, "root"),
        ({"LOGNAME": "grace"}, "grace"),
        ({}, f"uid {os.getuid()}"),
        ({"USER": "ad\udce4"}, "ad\\udce4"),
    ],
)
def test_who_it_is(env: dict[str, str], user: str) -> None:
    assert Operator.of(env).user == user
    assert Operator.of(env).pid == os.getpid()


def test_the_configuration_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert load_config(None, {}).path == packaged()
    users = tmp_path / "config" / "uscdr" / "scenarios.yaml"
    users.parent.mkdir(parents=True)
    (tmp_path / "scenarios.yaml").write_text("nobody reads this")
    for path in (users, tmp_path / "env.yaml", tmp_path / "given.yaml"):
        path.write_bytes(packaged().read_bytes())
        env = {"USCDR_CONFIG": str(tmp_path / "env.yaml")} if (tmp_path / "env.yaml").exists() else {}
        given = tmp_path / "given.yaml" if (tmp_path / "given.yaml").exists() else None
        assert load_config(given, env).path.absolute() == path


def test_a_target_that_is_not_there_is_named_with_those_that_are() -> None:
    loaded = load_config(packaged(), {})
    with pytest.raises(BadInput) as refused:
        find_target(loaded, "nowhere", {})
    assert "production, sandbox" in refused.value.next_action
    two = loaded.config.model_copy(
        update={"targets": {**loaded.config.targets, "staging": loaded.config.targets["production"]}}
    )
    with pytest.raises(BadInput, match="several targets"):
        find_target(type(loaded)(two, loaded.path, loaded.digest), None, {})


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"heroku": {}}'])
def test_without_a_sandbox_that_is_said(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "sandbox").mkdir()
        (tmp_path / "sandbox" / "sandbox.json").write_text(content)
    with pytest.raises(BadInput, match="sandbox"):
        find_target(load_config(packaged(), {}), SANDBOX, {"USCDR_STATE_DIR": str(tmp_path)})


def test_the_check_account_comes_from_the_environment() -> None:
    loaded = load_config(packaged(), {})
    env = {"HEROKU_API_KEY": "k" * 20}
    assert find_target(loaded, None, env).account is None
    assert find_target(loaded, None, env | {"USCDR_CHECK_EMAIL": "a@b"}).account is None
    account = find_target(loaded, None, env | {"USCDR_CHECK_TOKEN": "t"}).account
    assert account is not None
    assert account.token is not None
    whole = find_target(loaded, None, env | {"USCDR_CHECK_EMAIL": "a@b", "USCDR_CHECK_PASSWORD": "p"})
    assert whole.account is not None
    assert (whole.account.email, whole.account.token) == ("a@b", None)
    assert whole.key == "https://api.heroku.com usc-pis"


def test_the_server_for_proofs_is_named_by_the_command_or_the_environment(tmp_path: Path) -> None:
    """And never shown, neither whole nor its password."""
    place = find_target(load_config(packaged(), {}), None, {"HEROKU_API_KEY": "k" * 20})
    assert with_scratch(place, None, {}).scratch is None
    assert with_scratch(place, None, {"USCDR_SCRATCH": ""}).scratch is None
    url = "postgresql://u:sesame-open@db.example/postgres"
    named = with_scratch(place, None, {"USCDR_SCRATCH": url})
    assert named.scratch == with_scratch(place, url, {"USCDR_SCRATCH": "postgres://other"}).scratch == SecretStr(url)
    assert "sesame-open" not in repr(named)
    redactor = known_secrets(named, {})
    assert "sesame-open" not in redactor.text(f"{url} sesame-open")
    with pytest.raises(BadInput, match="--scratch"):
        with_scratch(place, "", {})


def test_any_application_is_asked_only_what_holds_for_all() -> None:
    config = _any_django_application(load_config(packaged(), {}).config)
    assert [one.name for one in config.invariants] == ["migrations are recorded"]
    assert config.after_recovery == ("application-answers",)
    assert config.checks["application-answers"] == HttpCheck(kind="http", path="/", below=500)
    assert config.app.dangerous_migrations == ()
