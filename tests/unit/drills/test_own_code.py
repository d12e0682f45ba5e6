"""The operator's code in a drill: the names of its variables, none of its secrets, an interpreter that can run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from uscdr.drills import own_code
from uscdr.drills.own_code import OwnCode
from uscdr.errors import BadInput
from uscdr.scenarios.config import Config
from uscdr.scenarios.config_app import Source
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load


@pytest.fixture(scope="module")
def config() -> Config:
    return load(packaged(), lazily=True).config


def test_every_name_of_the_configuration_has_a_harmless_value(config: Config, tmp_path: Path) -> None:
    found = own_code.variables(config, None, "drill-key")
    names = {*config.config.required, *config.config.escrow} - {
        *config.recovery.mail_variables,
        "DATABASE_URL",
        "REDIS_URL",
    }
    assert set(found) >= names
    assert not set(found) & {*config.recovery.mail_variables, "DATABASE_URL", "REDIS_URL"}
    assert found["PGP_ENCRYPTION_KEY"] == "drill-key"
    assert found["SITE_URL"] == found["FRONTEND_URL"] == "http://127.0.0.1:9"
    assert found["USE_CLOUDINARY"] == "False"
    assert len(found["SECRET_KEY"]) > 30
    assert own_code.variables(config, None, "k")["SECRET_KEY"] != found["SECRET_KEY"]


def test_of_a_file_plain_settings_are_taken_and_secrets_and_addresses_are_not(config: Config, tmp_path: Path) -> None:
    real = {
        "PAGE_SIZE": "25", "SECRET_KEY": "real",
        "STRIPE_API_KEY": "real", "HOOK_URL": "https://real.example/x",
        "PROXY": "http://real.example", "EMAIL_HOST": "smtp.real.example", "EMAIL_PORT": "587",
        "ADMIN": "a@real.example", "GMAIL_REFRESH_TOKEN": "real",
        "DATABASE_URL": "postgres://real.example/x", "PGPORT": "5432",
    }  # fmt: skip
    file = tmp_path / "app.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in real.items()))
    found = own_code.variables(config, file, "k")
    assert found["PAGE_SIZE"] == "25"
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"]) == ("127.0.0.1", "9")
    assert not [name for name, value in found.items() if "real" in value]
    assert not {"DATABASE_URL", "GMAIL_REFRESH_TOKEN"} & set(found)


def test_a_file_of_variables_that_is_no_text_is_refused(config: Config, tmp_path: Path) -> None:
    (tmp_path / "app.env").write_bytes(b"A=\xff\xfe")
    for file in (tmp_path / "app.env", tmp_path / "absent", tmp_path):
        with pytest.raises(BadInput, match="--env-file"):
            own_code.variables(config, file, "k")


def test_an_interpreter_must_be_named_exist_and_have_django(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="needs an interpreter") as caught:
        own_code.interpreter(None, {})
    assert "--python" in caught.value.next_action
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o700)
    for other in (tmp_path / "absent", tmp_path, tmp_path / "text"):
        with pytest.raises(BadInput, match="not a Python interpreter"):
            own_code.interpreter(other, {})
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    bare.chmod(0o700)
    with pytest.raises(BadInput, match="lacks the module django"):
        own_code.interpreter(bare, {})
    assert own_code.interpreter(Path(sys.executable), {}) == Path(sys.executable)


def test_code_must_have_a_procfile(config: Config, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no Procfile"):
        own_code.tree(str(tmp_path), config, tmp_path, as_it_is=True)
    (tmp_path / "Procfile").write_text("web: true\n")
    assert own_code.tree(str(tmp_path), config, tmp_path, as_it_is=True) == tmp_path


def test_of_a_repository_the_configured_commit_is_taken(config: Config, tmp_path: Path) -> None:
    place, home = tmp_path / "repository", tmp_path / "home"
    place.mkdir()
    home.mkdir(mode=0o700)
    (place / "Procfile").write_text("web: committed\n")
    for words in (("init", "-q", "-b", "live"), ("add", "."), ("commit", "-q", "-m", "The app")):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        subprocess.run(["git", *identity, *words], cwd=place, check=True)
    (place / "Procfile").write_text("web: changed since\n")
    app = config.app.model_copy(update={"source": Source(git=str(place), ref="live")})
    found = own_code.tree(str(place), config.model_copy(update={"app": app}), home, as_it_is=False)
    assert (found / "Procfile").read_text() == "web: committed\n"
    assert found.is_relative_to(home)


def test_without_its_own_shell_the_hash_is_one_that_django_accepts(tmp_path: Path) -> None:
    hashed = OwnCode(tmp_path, Path(sys.executable), {}).hashed("a password")
    asks = (
        "from django.conf import settings; settings.configure(); from django.contrib.auth.hashers import check_password"
    )
    asks += "; print([check_password(one, sys.argv[1]) for one in ('a password', 'another')])"
    words = [sys.executable, "-c", f"import sys; {asks}", hashed]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "[True, False]\n"
