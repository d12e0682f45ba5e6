"""Builds, release phases, rollbacks: which code and config run, and which do not."""

from __future__ import annotations

import base64
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from live_sandbox import Live, tiny_app


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    source = tiny_app(tmp_path / "changed")
    (source / "index.html").write_text("hello again")
    return source


@pytest.fixture
def restored(live: Live) -> Iterator[Live]:
    """Puts back the code and config that ran before."""
    current = next(one for one in live.get(f"/apps/{live.app}/releases") if one["current"])
    yield live
    live.send("POST", f"/apps/{live.app}/releases", {"release": current["id"]}, status=201)
    live.release_over()
    live.settled()


def test_an_upload_becomes_the_running_code_and_is_rolled_back(restored: Live, changed: Path) -> None:
    live = restored
    live.settled()
    build = live.deploy(changed)
    assert build["status"] == "succeeded"
    assert live.release_over()["slug"]["id"] == build["slug"]["id"]
    live.settled()
    assert httpx.get(live.contract["web_url"]).text == "hello again"
    text = live.api.get(build["output_stream_url"]).text
    assert "Procfile declares types -> release, web, worker" in text
    release = live.get(f"/apps/{live.app}/releases/{build['release']['id']}")
    assert release["description"] == "Deploy abcdef01"
    assert live.api.get(release["output_stream_url"]).text == "released\n"
    eligible = [one for one in live.get(f"/apps/{live.app}/releases") if one["eligible_for_rollback"]]
    made = live.send("POST", f"/apps/{live.app}/releases", {"release": eligible[-2]["id"]}, status=201)
    assert made["version"] == release["version"] + 1
    live.release_over()
    live.settled()
    assert httpx.get(live.contract["web_url"]).text == "hello from the web dyno"


def test_a_failing_release_phase_leaves_the_old_code_running(restored: Live) -> None:
    live = restored
    before = next(one for one in live.get(f"/apps/{live.app}/releases") if one["current"])
    config = live.send("PATCH", f"/apps/{live.app}/config-vars", {"FAIL_RELEASE": "1"})
    assert config["FAIL_RELEASE"] == "1"
    failed = live.release_over()
    assert (failed["status"], failed["current"], failed["eligible_for_rollback"]) == ("failed", False, False)
    assert "told to fail" in live.api.get(failed["output_stream_url"]).text
    assert live.get(f"/apps/{live.app}/releases/v{before['version']}")["current"] is True
    assert live.settled() == {"web.1": "up", "worker.1": "up"}
    assert live.api.post(f"/apps/{live.app}/releases", json={"release": failed["id"]}).status_code == 422


def formation_ids(live: Live) -> set[str]:
    """A one-off that another test left behind goes on, whatever is released."""
    return {one["id"] for one in live.get(f"/apps/{live.app}/dynos") if one["type"] != "run"}


def test_a_config_change_restarts_the_dynos_with_it(restored: Live) -> None:
    live = restored
    live.settled()
    before = formation_ids(live)
    live.send("PATCH", f"/apps/{live.app}/config-vars", {"COLOUR": "blue"})
    assert live.release_over()["description"] == "Set COLOUR config vars"
    live.settled()
    assert not before & formation_ids(live)
    assert live.attached("echo $COLOUR") == b"blue\r\n"
    count = len(live.get(f"/apps/{live.app}/releases"))
    live.send("PATCH", f"/apps/{live.app}/config-vars", {"COLOUR": "blue"})
    assert len(live.get(f"/apps/{live.app}/releases")) == count
    assert "COLOUR" not in live.send("PATCH", f"/apps/{live.app}/config-vars", {"COLOUR": None})


def test_junk_and_a_wrong_checksum_fail_the_build_and_make_no_release(live: Live, tmp_path: Path) -> None:
    count = len(live.get(f"/apps/{live.app}/releases"))
    junk = tmp_path / "junk"
    junk.mkdir()
    (junk / "notes.txt").write_text("nothing to build")
    build = live.deploy(junk)
    assert (build["status"], build["slug"], build["release"]) == ("failed", None, None)
    assert "No default language could be detected" in live.api.get(build["output_stream_url"]).text
    source = tiny_app(tmp_path / "good")
    build = live.deploy(source, checksum="SHA256:" + "0" * 64)
    assert build["status"] == "failed"
    assert "checksum" in live.api.get(build["output_stream_url"]).text
    assert len(live.get(f"/apps/{live.app}/releases")) == count


def test_build_output_can_be_resumed(live: Live, tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.mkdir()
    (junk / "notes.txt").write_text("nothing to build")
    url = live.deploy(junk)["output_stream_url"]
    whole = live.api.get(url).text
    assert live.api.get(url, headers={"Range": "bytes=10-"}).text == whole[10:]


def test_an_upload_must_be_as_pre_signed_urls_demand(live: Live) -> None:
    url = live.send("POST", "/sources", status=201)["source_blob"]["put_url"]
    trust = live.contract["ca_file"]
    with httpx.Client(verify=ssl.create_default_context(cafile=trust)) as client:
        assert client.put(url, content=b"x", headers={"Content-Type": "application/gzip"}).status_code == 403
        assert client.put(url, content=b"x", headers={"Authorization": "Bearer x"}).status_code == 400
        assert client.put(url, content=iter([b"x"])).status_code == 411
        assert client.put(url, content=b"x").status_code == 200
        assert client.get(url).content == b"x"


def test_a_tree_with_package_json_is_taken_for_node_unless_told(live: Live, tmp_path: Path) -> None:
    source = tiny_app(tmp_path / "both")
    (source / "package.json").write_text("{}")
    live.send("POST", "/apps", {"name": "mixed"}, status=201)
    build = live.deploy(source, "mixed")
    assert "Node.js app detected" in live.api.get(build["output_stream_url"]).text
    live.release_over("mixed")
    build = live.deploy(source, "mixed", buildpacks=[{"url": "heroku/nodejs"}, {"url": "heroku/python"}])
    assert "Python app detected" in live.api.get(build["output_stream_url"]).text
    live.release_over("mixed")
    updates = {"updates": [{"buildpack": "heroku/nodejs"}, {"buildpack": "heroku/python"}]}
    live.send("PUT", "/apps/mixed/buildpack-installations", updates)
    build = live.deploy(source, "mixed")
    assert "Python app detected" in live.api.get(build["output_stream_url"]).text
    live.send("DELETE", "/apps/mixed")


def test_a_slug_runs_in_another_app_with_that_apps_database(live: Live) -> None:
    slug = next(one for one in live.get(f"/apps/{live.app}/releases") if one["current"])["slug"]["id"]
    live.send("POST", "/apps", {"name": "twin"}, status=201)
    live.order("twin", "heroku-postgresql:essential-0")
    live.send("POST", "/apps/twin/releases", {"slug": slug}, status=201)
    assert live.release_over("twin")["status"] == "succeeded"
    assert live.settled("twin") == {"web.1": "up"}
    assert live.sql("SELECT count(*) FROM clients", "twin") == [(300,)]
    live.send("DELETE", "/apps/twin")


def test_a_push_to_main_is_a_build_and_a_failing_one_is_refused(restored: Live, changed: Path) -> None:
    live = restored
    token = base64.b64encode(f"heroku:{live.contract['heroku']['token']}".encode()).decode()
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(changed),
        "GIT_SSL_CAINFO": live.contract["ca_file"],
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {token}",
    }
    url = f"https://{live.contract['heroku']['git_host']}/{live.app}.git"

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@t.example", *arguments]
        return subprocess.run(command, cwd=changed, env=environment, capture_output=True, text=True, check=False)

    earlier = len(live.audit())
    for arguments in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-qm", "one")):
        assert git(*arguments).returncode == 0
    pushed = git("push", url, "main")
    assert pushed.returncode == 0, pushed.stderr
    assert "remote: released" in pushed.stderr
    release = live.release_over()
    head = git("rev-parse", "HEAD").stdout.strip()
    assert live.get(f"/apps/{live.app}/slugs/{release['slug']['id']}")["commit"] == head
    git("rm", "-q", "requirements.txt")
    git("commit", "-qm", "two")
    refused = git("push", url, "main")
    assert refused.returncode != 0
    assert "No default language could be detected" in refused.stderr
    assert live.release_over()["version"] == release["version"]
    writes = [one for one in live.audit()[earlier:] if one["path"].endswith("git-receive-pack")]
    assert [one["status"] for one in writes] == [200, 422]
