"""The adapters of provisioning, deploys and source against a running sandbox: a new place, code in it, and back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from live_sandbox import Live, until
from uscdr.errors import Conflict, CredentialsRefused, NotFound, ProviderError
from uscdr.models.heroku import Build
from uscdr.models.migrations import SourceArchive
from uscdr.providers.heroku.client import HerokuClient
from uscdr.providers.heroku.deploys import HerokuDeploys
from uscdr.providers.heroku.platform import HerokuPlatform
from uscdr.providers.heroku.provisioning import HerokuProvisioning
from uscdr.providers.source.git_source import GitSource
from uscdr.sandbox.boot.source import CLINIC

NEW = "clinic-recovery"
IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@t.example")


@pytest.fixture
def client(live: Live) -> Iterator[HerokuClient]:
    heroku = live.contract["heroku"]
    with HerokuClient(
        heroku["api_url"],
        heroku["api_url"],
        SecretStr(heroku["token"]),
        ca_file=Path(live.contract["ca_file"]),
        read_only=False,
    ) as opened:
        yield opened


@pytest.fixture
def port(client: HerokuClient) -> HerokuProvisioning:
    return HerokuProvisioning(client)


@pytest.fixture
def deploys(client: HerokuClient) -> HerokuDeploys:
    return HerokuDeploys(client)


@pytest.fixture
def new_app(live: Live, port: HerokuProvisioning) -> Iterator[str]:
    yield port.create_app(NEW).name
    live.send("DELETE", f"/apps/{NEW}")


def committed(place: Path) -> GitSource:
    """A repository of what lies in `place`, read through the adapter."""
    for arguments in (("init", "-q", "-b", "main"), ("add", "--all"), (*IDENTITY, "commit", "-qm", "one")):
        subprocess.run(["git", *arguments], cwd=place, check=True, capture_output=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(place.parent)}
    return GitSource(str(place), cache=place.parent / "cache", timeout=60, env=env)


@pytest.fixture
def clinic(tmp_path: Path) -> SourceArchive:
    place = tmp_path / "clinic"
    shutil.copytree(CLINIC, place, ignore=shutil.ignore_patterns("__pycache__"))
    return committed(place).archive("main", tmp_path / "packed")


@pytest.fixture
def tiny(tiny_source: Path, tmp_path: Path) -> SourceArchive:
    place = tmp_path / "tiny"
    shutil.copytree(tiny_source, place)
    (place / "index.html").write_text("hello from a new build")
    return committed(place).archive("main", tmp_path / "packed")


def built(deploys: HerokuDeploys, app: str, archive: SourceArchive) -> tuple[Build, list[str]]:
    """A finished build, and its output as it was followed."""
    lines: list[str] = []
    begun = deploys.start_build(app, archive)
    assert begun.output_url is not None
    deploys.follow(begun.output_url, lines.append)
    return until(lambda: (one := deploys.build(app, begun.id)).status != "pending" and one), lines


def test_an_app_is_created_once(port: HerokuProvisioning, client: HerokuClient, new_app: str) -> None:
    assert HerokuPlatform(client).app(new_app).name == NEW
    with pytest.raises(Conflict, match="taken, by an app of this account"):
        port.create_app(NEW)
    with pytest.raises(ProviderError) as caught:
        port.create_app("-no-")
    assert caught.value.status == 422


def test_addons_are_ordered_and_an_ended_plan_is_not(port: HerokuProvisioning, live: Live, new_app: str) -> None:
    made = port.create_addon(new_app, "heroku-postgresql:essential-0")
    assert until(lambda: port.addon(new_app, made.id).state == "provisioned")
    assert port.create_addon(new_app, "heroku-redis:mini").app_name == new_app
    for plan in ("heroku-postgresql:mini", "heroku-postgresql:none-such"):
        with pytest.raises(ProviderError) as caught:
            port.create_addon(new_app, plan)
        assert caught.value.status == 422
        assert caught.value.next_action
    assert len(live.get(f"/apps/{new_app}/addons")) == 2


def test_what_is_slow_to_provision_is_seen_to_be_ready(port: HerokuProvisioning, live: Live, new_app: str) -> None:
    live.fault("slow-provisioning", path=f"/apps/{new_app}/addons", method="POST", times=1)
    made = port.create_addon(new_app, "heroku-postgresql:essential-0")
    assert made.state == "provisioning"
    assert until(lambda: port.addon(new_app, made.name).state == "provisioned")


def test_the_plans_that_are_sold(port: HerokuProvisioning) -> None:
    plans = {plan.name: plan for plan in port.plans("heroku-postgresql")}
    assert plans["heroku-postgresql:essential-0"].cents == 500
    with pytest.raises(NotFound):
        port.plans("no-such-service")


def test_buildpacks_and_config_are_set_at_once(
    port: HerokuProvisioning, client: HerokuClient, live: Live, new_app: str
) -> None:
    assert port.buildpacks(new_app) == ()
    port.set_buildpacks(new_app, ["heroku/nodejs", "heroku/python"])
    assert port.buildpacks(new_app) == ("heroku/nodejs", "heroku/python")
    count = len(live.get(f"/apps/{new_app}/releases"))
    port.set_config(new_app, {"ONE": SecretStr("1"), "TWO": SecretStr("2")})
    port.set_config(new_app, {"ONE": None})
    config = HerokuPlatform(client).config_vars(new_app)
    assert {name: value.get_secret_value() for name, value in config.items()} == {"TWO": "2"}
    assert len(live.get(f"/apps/{new_app}/releases")) == count + 2


def test_a_hostname_belongs_to_one_app(port: HerokuProvisioning, live: Live, new_app: str) -> None:
    hostname = "move.clinic.example"
    port.add_domain(live.app, hostname)
    with pytest.raises(Conflict, match="Another app has the hostname"):
        port.add_domain(new_app, hostname)
    with pytest.raises(Conflict, match="already"):
        port.add_domain(live.app, hostname)
    port.remove_domain(live.app, hostname)
    port.remove_domain(live.app, hostname)
    made = port.add_domain(new_app, hostname)
    assert made.kind == "custom"
    assert {one.hostname: one.kind for one in port.domains(new_app)}[hostname] == "custom"
    port.enable_certificates(new_app)
    port.enable_certificates(new_app)
    assert until(lambda: next(one for one in port.domains(new_app) if one.hostname == hostname).acm_status)


def test_people_drains_and_schedules(port: HerokuProvisioning, live: Live, new_app: str) -> None:
    owner = port.collaborators(new_app)
    port.add_collaborator(new_app, "second@clinic.example")
    port.add_collaborator(new_app, "second@clinic.example")
    assert sorted(port.collaborators(new_app)) == sorted([*owner, "second@clinic.example"])
    drain = port.add_log_drain(new_app, SecretStr("https://u:p@logs.example/in"))
    assert (drain, port.log_drains(new_app)) == (drain, (drain,))
    assert drain.host == "logs.example"
    database = port.create_addon(new_app, "heroku-postgresql:essential-0").id
    until(lambda: port.addon(new_app, database).state == "provisioned")
    assert port.schedule_backups(database, "DATABASE_URL", hour=2, timezone="Asia/Manila").hour == 2
    assert [one["hour"] for one in live.get(f"/client/v11/databases/{database}/transfer-schedules")] == [2]


def test_the_clinic_is_built_from_its_repository(
    port: HerokuProvisioning, deploys: HerokuDeploys, clinic: SourceArchive, new_app: str
) -> None:
    assert {"release", "web", "worker", "beat"} <= clinic.procfile.keys()
    assert any(name.startswith("patients.0001") for name in clinic.migrations)
    port.set_buildpacks(new_app, ["heroku/nodejs", "heroku/python"])
    build, lines = built(deploys, new_app, clinic)
    assert build.status == "succeeded", lines
    assert (build.commit, build.checksum) == (clinic.commit, f"SHA256:{clinic.sha256}")
    assert deploys.builds(new_app)[0].id == build.id
    assert any("Procfile declares types" in line for line in lines)
    # Without a database the release phase fails; what was built is known all the same.
    assert build.release_id is not None
    identity = build.release_id
    release = until(lambda: (one := deploys.release(new_app, identity)).status != "pending" and one)
    assert release.slug_id == build.slug_id
    output: list[str] = []
    url = deploys.release_output(new_app, f"v{release.version}")
    assert url is not None
    deploys.follow(url, output.append)
    assert output


def test_a_deploy_is_rolled_back(
    port: HerokuProvisioning, deploys: HerokuDeploys, tiny: SourceArchive, live: Live, new_app: str
) -> None:
    database = port.create_addon(new_app, "heroku-postgresql:essential-0")
    until(lambda: port.addon(new_app, database.id).state == "provisioned")
    build, lines = built(deploys, new_app, tiny)
    assert build.status == "succeeded", lines
    assert build.release_id is not None
    first = live.release_over(new_app)
    assert (first["id"], first["status"]) == (build.release_id, "succeeded"), live.get_log("release", new_app)
    port.set_config(new_app, {"COLOUR": SecretStr("blue")})
    live.release_over(new_app)
    back = deploys.rollback(new_app, first["id"])
    assert back.version == first["version"] + 2
    assert live.release_over(new_app)["id"] == back.id
    assert deploys.release(new_app, f"v{back.version}").slug_id == build.slug_id
    assert "COLOUR" not in live.get(f"/apps/{new_app}/config-vars")
    with pytest.raises(ProviderError):
        deploys.rollback(new_app, live.get(f"/apps/{new_app}/releases")[0]["id"])


def test_a_build_that_fails_says_so_in_its_output(deploys: HerokuDeploys, tmp_path: Path, new_app: str) -> None:
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "notes.txt").write_text("nothing to build")
    junk = committed(tmp_path / "junk").archive("main", tmp_path / "packed")
    build, lines = built(deploys, new_app, junk)
    assert (build.status, build.release_id) == ("failed", None)
    assert any("No default language" in line for line in lines)
    wrong, lines = built(deploys, new_app, junk.model_copy(update={"sha256": "0" * 64}))
    assert wrong.status == "failed"
    assert any("checksum" in line for line in lines)


def test_a_lost_answer_of_a_build_is_found_again(
    deploys: HerokuDeploys, tiny: SourceArchive, live: Live, new_app: str
) -> None:
    live.fault("reset-after", path=f"/apps/{new_app}/builds", method="POST", times=1)
    with pytest.raises(ProviderError, match="the outcome is unknown"):
        deploys.start_build(new_app, tiny)
    found = until(lambda: [one for one in deploys.builds(new_app) if one.checksum == f"SHA256:{tiny.sha256}"])
    assert [one.commit for one in found] == [tiny.commit]
    until(lambda: deploys.build(new_app, found[0].id).status != "pending")


def test_a_private_repository_over_https_is_read_with_the_users_credentials(
    live: Live, tmp_path: Path, new_app: str
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "Procfile").write_text("web: python -m http.server $PORT\n")
    (tmp_path / "tree" / "requirements.txt").write_text("\n")
    pushed = committed(tmp_path / "tree")
    config = tmp_path / "gitconfig"
    token = live.contract["heroku"]["token"]
    config.write_text(f'[credential]\nhelper = "!f() {{ echo username=x; echo password={token}; }}; f"\n')
    config.chmod(0o600)
    trusting = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_SSL_CAINFO": live.contract["ca_file"]}
    url = f"https://{live.contract['heroku']['git_host']}/{new_app}.git"
    subprocess.run(
        ["git", "push", "-q", url, "main"],
        cwd=tmp_path / "tree",
        env={**trusting, "GIT_CONFIG_GLOBAL": str(config)},
        check=True,
        capture_output=True,
    )
    with_helper = {**trusting, "GIT_CONFIG_GLOBAL": str(config)}
    source = GitSource(url, cache=tmp_path / "https", timeout=60, env=with_helper)
    assert source.archive("main", tmp_path / "a").sha256 == pushed.archive("main", tmp_path / "b").sha256
    assert token not in "".join(path.read_text() for path in (tmp_path / "https").rglob("config"))
    with pytest.raises(CredentialsRefused):
        GitSource(url, cache=tmp_path / "no", timeout=60, env=trusting).resolve("main")
    untrusting = {name: value for name, value in with_helper.items() if name != "GIT_SSL_CAINFO"}
    with pytest.raises(ProviderError, match="certificate is not trusted"):
        GitSource(url, cache=tmp_path / "no", timeout=60, env=untrusting).resolve("main")
