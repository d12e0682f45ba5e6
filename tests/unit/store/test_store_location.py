"""What names a store, and what is refused before anything is sent. Credentials are never repeated."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import pytest

from uscdr.errors import BadInput, MachineError
from uscdr.installation import install
from uscdr.store.bucket import ObjectStore
from uscdr.store.directory import LocalStore
from uscdr.store.location import open_store

KEY = "AKIACANARYKEYOFVAULT"
SECRET = "canary-secret-of-the-vault-4711"
S3 = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-central-1"}
AZ = {"AZURE_STORAGE_ACCOUNT_NAME": "uscpis", "AZURE_STORAGE_ACCOUNT_KEY": "Y2FuYXJ5"}


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    return {"USCDR_STATE_DIR": str(tmp_path)}


@pytest.mark.parametrize(
    ("text", "place"),
    [("/mnt/safe", "/mnt/safe"), ("file:///mnt/the%20safe", "/mnt/the safe"), ("file://localhost/mnt/x", "/mnt/x")],
)
def test_directories(text: str, place: str) -> None:
    store = open_store(text, {})
    assert isinstance(store, LocalStore)
    assert store.place == place


def test_a_directory_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert open_store("~/safe", {}).place == "/home/ada/safe"


@pytest.mark.parametrize(
    ("text", "env", "place"),
    [
        ("s3://usc-pis-safe", S3, "s3://usc-pis-safe"),
        ("s3://usc-pis-safe/kits/a/", S3, "s3://usc-pis-safe/kits/a"),
        ("S3://usc-pis-safe/kits", S3, "s3://usc-pis-safe/kits"),
        ("az://safe/kits", AZ, "az://safe/kits"),
    ],
)
def test_buckets(state: dict[str, str], text: str, env: dict[str, str], place: str) -> None:
    store = open_store(text, state | env)
    assert isinstance(store, ObjectStore)
    assert store.place == place
    assert SECRET not in repr(store._handles)


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "ftp://host/x", "http://bucket/x", "s3://", "s3:///x", "s3://Bucket", "s3://b", "s3://bucket/../x",
        "s3://bucket/a//b", "s3://bucket/.x", "s3://bucket/päth", "s3://bucket/a b", "s3://bucket?x=1", "s3://bucket#x",
        "s3://bucket/" + "x" * 201, "file://host/mnt", "file://mnt", "file:///mnt?x", "gs://", "az://",
    ],
)  # fmt: skip
def test_what_is_no_place(state: dict[str, str], text: str) -> None:
    with pytest.raises(BadInput) as caught:
        open_store(text, state | S3 | AZ)
    assert "file:///" in caught.value.next_action or "s3://" in caught.value.next_action or "gs" in text or "az" in text


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + getattr(error, "why", "") + getattr(error, "next_action", "")


@pytest.mark.parametrize("text", [f"s3://{KEY}:{SECRET}@bucket/x", f"s3://{SECRET}@bucket", f"s3://bucket:{SECRET}/x"])
def test_credentials_in_the_url_are_refused_and_not_repeated(state: dict[str, str], text: str) -> None:
    with pytest.raises(BadInput, match="more than a bucket") as caught:
        open_store(text, state | S3)
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize(
    ("text", "env", "named"),
    [
        ("s3://bucket", {}, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket", {"AWS_ACCESS_KEY_ID": KEY}, "AWS_SECRET_ACCESS_KEY"),
        ("gs://bucket", {}, "GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://bucket", {"AZURE_STORAGE_ACCOUNT_KEY": "x"}, "AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_missing_credentials_are_named(state: dict[str, str], text: str, env: dict[str, str], named: str) -> None:
    with pytest.raises(BadInput, match="no credentials") as caught:
        open_store(text, state | env)
    assert named in caught.value.why


@pytest.mark.parametrize(
    ("text", "env"),
    [
        ("gs://bucket", {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/key.json"}),
        ("gs://bucket", {"GOOGLE_SERVICE_ACCOUNT_KEY": SECRET}),
        ("az://bucket", {"AZURE_STORAGE_ACCOUNT_NAME": "x", "AZURE_STORAGE_ACCOUNT_KEY": SECRET}),
        ("az://bucket", {"AZURE_STORAGE_ACCOUNT_NAME": "x", "AZURE_STORAGE_SAS_TOKEN": SECRET}),
        ("s3://bucket", S3 | {"AWS_VIRTUAL_HOSTED_STYLE_REQUEST": SECRET}),
    ],
)
def test_settings_of_no_use_are_named_and_not_repeated(state: dict[str, str], text: str, env: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="are invalid") as caught:
        open_store(text, state | env)
    assert all(name in caught.value.why for name in env)
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
@pytest.mark.parametrize(
    "endpoint",
    ["http://s3.example.org", "http://192.0.2.1:9000", f"https://{KEY}:{SECRET}@host", "s3.example.org", "x"],
)
def test_endpoints_that_are_not_safe(state: dict[str, str], name: str, endpoint: str) -> None:
    with pytest.raises(BadInput, match="endpoint of the store") as caught:
        open_store("s3://bucket", state | S3 | {name: endpoint})
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize(
    "endpoint", ["https://s3.example.org", "http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost"]
)
def test_endpoints_that_are(state: dict[str, str], endpoint: str) -> None:
    store = open_store("s3://bucket", state | S3 | {"AWS_ENDPOINT_URL": endpoint})
    assert store.place == "s3://bucket"


def test_without_the_library(state: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("obstore", "uscdr.store.connections", "uscdr.store.bucket", "uscdr.store.errors"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MachineError) as caught:
        open_store("s3://bucket", state | S3)
    assert install("vault") in caught.value.next_action
    assert open_store("/mnt/safe", state).place == "/mnt/safe"
