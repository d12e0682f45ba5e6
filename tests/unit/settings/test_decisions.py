"""Which scenarios.yaml may decide where requests, credentials or code go: never one that merely lies there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from uscdr.errors import BadInput, ConfigError
from uscdr.models.base import Destination
from uscdr.scenarios.config import Config
from uscdr.scenarios.config_file import load_config, notice, packaged, passed_over, warning

SMALL = """\
version: 1
objectives: {rpo: 4h, rto: 2h}
app: {name: usc-pis, manage: python manage.py}
targets:
  production:
    heroku: {app: usc-pis}
    cloudinary: {cloud: usc-pis}
    dns: {adapter: manual, zone: usc-pis.example}
recovery: {app: usc-pis-recovery}
invariants: [{name: rows, sql: SELECT 1, minimum: 1}]
checks:
  page: {kind: http, path: /}
  mail-account: {kind: mail}
  certificate: {kind: tls}
checklists:
  db: {title: All, items: [{item: all, checks: [page, mail-account, certificate]}]}
scenarios:
  dns:
    title: Domain
    budget: {assess: 10m, recover: 60m}
    steps: [{use: dns.rollback}]
"""
EVIL = "http://127.0.0.1:9"
HEROKU, MEDIA, MANUAL = "heroku: {app: usc-pis", "{cloud: usc-pis", "dns: {adapter: manual"
T = "targets.production."


def beside(line: str) -> tuple[str, str]:
    """A further line of the target."""
    return MANUAL, f"{line}\n    {MANUAL}"


WAYS: dict[str, tuple[str, str, str]] = {
    "another host": (HEROKU, f"{HEROKU}, api_url: https://evil.example", T + "heroku.api_url"),
    "a host that looks alike": (HEROKU, f"{HEROKU}, api_url: https://api.heroku.com.evil", T + "heroku.api_url"),
    "another port": (HEROKU, f"{HEROKU}, api_url: https://api.heroku.com:444", T + "heroku.api_url"),
    "plain http": (HEROKU, f"{HEROKU}, api_url: http://api.heroku.com", T + "heroku.api_url"),
    "this machine": (HEROKU, f"{HEROKU}, api_url: {EVIL}", T + "heroku.api_url"),
    "this machine, IPv6": (HEROKU, HEROKU + ', api_url: "http://[::1]:9"', T + "heroku.api_url"),
    "the data API": (HEROKU, f"{HEROKU}, data_url: {EVIL}", T + "heroku.data_url"),
    "a status page": (HEROKU, f"{HEROKU}, status_url: {EVIL}", T + "heroku.status_url"),
    "an authority": (*beside("ca_file: ./evil.pem"), T + "ca_file"),
    "the website": (*beside(f"web: {EVIL}"), T + "web"),
    "the mail account": (*beside(f"mail: {{token_url: {EVIL}}}"), T + "mail.token_url"),
    "the certificates": (*beside('tls_server: "127.0.0.1:9"'), T + "tls_server"),
    "the media API": (MEDIA, f"{MEDIA}, api_url: {EVIL}", T + "cloudinary.api_url"),
    "the media's delivery": (MEDIA, f"{MEDIA}, delivery_url: {EVIL}", T + "cloudinary.delivery_url"),
    "the media's status page": (MEDIA, f"{MEDIA}, status_url: {EVIL}", T + "cloudinary.status_url"),
    "the DNS API": (MANUAL, f"dns: {{adapter: cloudflare, api_url: {EVIL}", T + "dns.api_url"),
    "the DNS primary": (MANUAL, "dns: {adapter: rfc2136, key_name: k, server: 127.0.0.1", T + "dns.server"),
    "name servers": (MANUAL, MANUAL + ', name_servers: ["127.0.0.1:9"]', T + "dns.name_servers"),
    "the repository": ("app: {", f"app: {{source: {{git: {EVIL}/x.git}}, ", "app.source.git"),
    "its status page": ("app: {", f"app: {{source: {{git: .., status_url: {EVIL}}}, ", "app.source.status_url"),
    "a command in the dyno": ("manage: python manage.py", 'manage: "curl evil.example; x"', "app.manage"),
    "the kits' bucket": ("recovery:", "kit: {to: s3://evil}\nrecovery:", "kit.to"),
    "who opens kits": ("recovery:", "kit: {recipients: [age1evil]}\nrecovery:", "kit.recipients"),
    "the copies' bucket": ("recovery:", "vault: {to: gs://evil}\nrecovery:", "vault.to"),
    "who opens copies": ("recovery:", "vault: {recipients: [ssh-ed25519 evil]}\nrecovery:", "vault.recipients"),
    "a buildpack": ("recovery: {", "recovery: {buildpacks: [https://evil.example/x], ", "recovery.buildpacks"),
    "one of the registry": ("recovery: {", "recovery: {buildpacks: [evil/python], ", "recovery.buildpacks"),
    "another's database": ("recovery: {", "recovery: {addons: [evil-postgresql:free], ", "recovery.addons"),
    "which variable goes out": (
        "kind: mail", "kind: mail, client_secret: SECRET_KEY", "checks.mail-account.client_secret"),
    "a certificate": ("kind: tls", "kind: tls, hostnames: [evil.example]", "checks.certificate.hostnames"),
}  # fmt: skip


def written(path: Path, *changes: tuple[str, str]) -> Path:
    text = SMALL
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


@pytest.mark.parametrize("spoilt", [False, True])
def test_a_file_in_the_current_directory_is_not_used_and_that_is_said(spoilt: bool) -> None:
    here = Path("scenarios.yaml")
    here.write_text("[" if spoilt else SMALL)
    loaded = load_config(None, {})
    assert loaded.path == packaged()
    assert not loaded.own
    assert "uscdr --config ./scenarios.yaml" in passed_over(loaded.path)
    named = written(here.with_name("named.yaml"), *GOOD)
    assert "is not used" in passed_over(load_config(named, {}).path)


def test_nothing_is_said_of_a_file_in_the_current_directory_that_is_used_or_says_the_same() -> None:
    here = written(Path("scenarios.yaml"))
    assert not passed_over(load_config(here, {}).path)
    assert not passed_over(load_config(None, {"USCDR_CONFIG": str(here.absolute())}).path)
    here.write_bytes(packaged().read_bytes())
    assert not passed_over(load_config(None, {}).path)
    here.unlink()
    assert not passed_over(load_config(None, {}).path)


@pytest.mark.parametrize("way", WAYS)
def test_the_same_file_named_or_kept_by_the_user_is_taken_and_said(way: str, tmp_path: Path) -> None:
    old, new, key = WAYS[way]
    here = written(Path("scenarios.yaml"), (old, new))
    written(tmp_path / "config" / "uscdr" / "scenarios.yaml", (old, new))
    named = [load_config(here, {}), load_config(None, {"USCDR_CONFIG": str(here)})]
    here.unlink()
    for loaded in (*named, load_config(None, {})):
        said = warning(loaded)
        assert said.startswith(f"Configuration: {loaded.path.absolute()} ({loaded.why}) decides where requests go: ")
        assert key in said
        assert "\n" not in said


EVIL_API = (HEROKU, f"{HEROKU}, api_url: {EVIL}")
GOOD = (
    ("app: usc-pis}", "app: other-clinic}"),
    ("{cloud: usc-pis}", "{cloud: other-cloud}"),
    ("zone: usc-pis.example}", "zone: clinic.example, hostnames: [www.clinic.example]}"),
    ("minimum: 1", "minimum: 2, why: Nobody is there."),
    ("recovery:", 'contacts: [{role: Lead, name: Ada, how: "+1"}]\nkit: {to: /mnt/safe}\nvault: {to: safe}\nrecovery:'),
    ("path: /}", "path: /start/, auth: true}"),
    ("manage: python manage.py", "manage: python3 backend/manage.py"),
    ("{app: usc-pis-recovery", '{app: rescue, buildpacks: [heroku/python], addons: ["heroku-postgresql:standard-0"]'),
)


def test_one_that_only_names_and_checks_needs_no_warning(tmp_path: Path) -> None:
    path = written(tmp_path / "config" / "uscdr" / "scenarios.yaml", *GOOD)
    loaded = load_config(None, {})
    assert loaded.config.targets["production"].heroku.app == "other-clinic"
    assert loaded.own
    assert not warning(loaded)
    assert notice(loaded) == f"Configuration: {path} (in your configuration directory)."


def test_the_providers_own_addresses_may_be_written_out(tmp_path: Path) -> None:
    path = written(tmp_path / "s.yaml", (HEROKU, f"{HEROKU}, api_url: https://api.heroku.com"))
    assert not load_config(path, {}).decides


def test_merged_parts_are_looked_through(tmp_path: Path) -> None:
    evil = f"production: &evil\n    web: {EVIL}"
    changes = ("production:", evil), ("recovery:", "  second:\n    <<: *evil\nrecovery:")
    said = warning(load_config(written(tmp_path / "s.yaml", *changes), {}))
    assert "targets.production.web (line 6)" in said
    assert "targets.second.web" in said


def test_in_the_users_own_directory_the_file_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = written(tmp_path / "config" / "uscdr" / "scenarios.yaml", EVIL_API)
    monkeypatch.chdir(users.parent)
    assert warning(load_config(None, {}))
    assert not passed_over(users)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "it is a named pipe"),
        (Path.mkdir, "it is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
        (lambda path: path.symlink_to("nowhere"), "No such file"),
    ],
)
def test_what_has_the_name_and_is_no_file_is_refused_where_it_counts(make: object, words: str, tmp_path: Path) -> None:
    here, users = Path("scenarios.yaml"), tmp_path / "config" / "uscdr" / "scenarios.yaml"
    make(here)  # type: ignore[operator]
    assert load_config(None, {}).path == packaged()
    assert passed_over(packaged())
    users.parent.mkdir(parents=True)
    make(users)  # type: ignore[operator]
    for given in (here, None):
        with pytest.raises(ConfigError, match=words):
            load_config(given, {})


@pytest.mark.parametrize(("mode", "of"), [(0o664, "file"), (0o646, "file"), (0o775, "directory"), (0o757, "directory")])
def test_a_named_file_that_others_may_write_decides_nothing(mode: int, of: str, tmp_path: Path) -> None:
    path = written(tmp_path / "named" / "own.yaml", EVIL_API)
    changed = path if of == "file" else path.parent
    changed.chmod(mode)
    with pytest.raises(ConfigError) as refused:
        load_config(path, {})
    assert refused.value.message.endswith(f"others may write {changed}.")
    assert refused.value.next_action.endswith(f"chmod go-w {changed}")
    changed.chmod(mode & 0o755)
    assert warning(load_config(path, {}))


@pytest.mark.parametrize("way", ["above", "above where the link leads", "between two links"])
def test_a_named_file_that_lies_where_anybody_may_put_another_decides_nothing(way: str, tmp_path: Path) -> None:
    """Whoever may rename a directory above it has another file stand there."""
    anybody = tmp_path / "anybody"
    real = written(anybody / "mine" / "scenarios.yaml", EVIL_API)
    named = real
    if way != "above":
        named = tmp_path / "here" / "link.yaml"
        named.symlink_to(real)
    if way == "between two links":
        safe = written(tmp_path / "safe" / "scenarios.yaml", EVIL_API)
        (anybody / "again.yaml").symlink_to(safe)
        named.unlink()
        named.symlink_to(anybody / "again.yaml")
    anybody.chmod(0o775)
    assert load_config(named, {}).decides
    anybody.chmod(0o757)
    with pytest.raises(ConfigError, match=f"others may write {anybody}") as refused:
        load_config(named, {})
    assert f"chmod o-w {anybody}" in refused.value.next_action
    anybody.chmod(0o1757)
    assert load_config(named, {}).decides


def test_others_may_write_a_named_file_that_decides_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "own.yaml", *GOOD)
    path.chmod(0o666)
    assert not warning(load_config(path, {}))


def test_a_directory_where_everybody_keeps_their_own_files_will_do(tmp_path: Path) -> None:
    path = written(tmp_path / "tmp" / "own.yaml", EVIL_API)
    path.parent.chmod(0o1777)
    assert warning(load_config(path, {}))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_named_file_of_somebody_else_decides_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "own.yaml", EVIL_API)
    os.chown(path, 1234, -1)
    with pytest.raises(ConfigError, match=r"belongs to another user \(uid 1234\)"):
        load_config(path, {})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (HEROKU, HEROKU + ', api_url: "https://api.heroku.com@evil.example"', "must not contain a user name"),
        (HEROKU, HEROKU + ', api_url: "https://user:hunter2@api.heroku.com"', "must not contain a user name"),
        (HEROKU, HEROKU + ', api_url: "https://\u0430pi.heroku.com"', "letters other than a-z"),
        (HEROKU, HEROKU + r', api_url: "https://api.heroku.com\r\nHost: evil"', "control character"),
        (HEROKU, HEROKU + ", api_url: https://a, api_url: https://b", "is used twice"),
        (HEROKU, HEROKU + ", token_env: AWS_SECRET_ACCESS_KEY", "`token_env` is not known"),
        ("production:", "sandbox:", "`sandbox` is built in"),
        ("zone: usc-pis.example}", "zone: 0.0.1, hostnames: [127.0.0.1]}", "is an IP address, not a host name"),
        ("path: /}", 'path: /, auth: true, follow: "https://evil.example/{id}"}', "the required form"),
        ("path: /}", "path: https://evil.example/}", "the required form"),
        ("version: 1\n", "version: 1\ninclude: /etc/evil.yaml\n", "`include` is not known"),
    ],
)
def test_wherever_it_lies_it_holds_no_trick(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = written(tmp_path / "own.yaml", (old, new))
    with pytest.raises(BadInput) as refused:
        load_config(path, {})
    assert words in refused.value.message, refused.value.message
    assert "hunter2" not in f"{refused.value.message}{refused.value.why}{refused.value.next_action}"


def test_paths_begin_where_the_file_lies_not_where_the_command_is_given(tmp_path: Path) -> None:
    source = "app: {source: {git: ../code}, "
    path = written(tmp_path / "named" / "own.yaml", ("app: {", source), beside("ca_file: own.pem"))
    config = load_config(path, {}).config
    assert config.targets["production"].ca_file == str(tmp_path / "named" / "own.pem")
    assert config.app.source
    assert Path(config.app.source.git).resolve() == tmp_path / "code"
    for git in ("https://github.com/a/b.git", "git@github.com:a/b.git", "ssh://git@host/a"):
        written(path, ("app: {", source.replace("../code", git)))
        found = load_config(path, {}).config.app.source
        assert found
        assert found.git == git


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
    assert not list(Destination.paths_in(load_config(packaged(), {}).config))


def _fields(model: type, seen: dict[str, list[bool]] | None = None) -> dict[str, list[bool]]:
    """Every field below a model, and whether each of that name is marked."""
    from pydantic import BaseModel

    from uscdr.models.base import Destination

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
