"""The requests sent and the answers understood, as the API documents them."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
import respx
from heroku_wire import CANARY, Connect
from pydantic import SecretStr

from uscdr.checks.verdict import Finding
from uscdr.errors import ApplicationGone, BadInput, Conflict, ExitCode, NotFound, ProviderError
from uscdr.models.heroku import Attachment
from uscdr.models.transfers import TransferKind, TransferState, Whose
from uscdr.providers.heroku.backups import HerokuBackups
from uscdr.providers.heroku.platform import HerokuPlatform
from uscdr.providers.http.json import _parse_moment

pytest_plugins = ("heroku_wire",)

API, DATA = "https://api.heroku.com", "https://api.data.heroku.com"
ATTACHMENT: dict[str, Any] = {
    "name": "DATABASE",
    "app": {"name": "clinic"},
    "addon": {
        "id": "db1",
        "name": "pg-1",
        "app": {"id": "a1", "name": "clinic"},
        "plan": {"name": "heroku-postgresql:essential-0"},
    },
    "config_vars": ["DATABASE_URL"],
}
CLINIC = Attachment(name="DATABASE", app_name="clinic", addon_id="db1", addon_name="pg-1", owner_app_name="clinic")
DATABASE = {"resource_url": "postgres://canary-user:canary-pass@h/db", "info": []}
BACKUP: dict[str, Any] = {
    "uuid": "3cfc175c-9247-455e-b2bc-2534cdd8f070",
    "num": 2,
    "from_name": "DATABASE",
    "from_type": "pg_dump",
    "from_url": "postgres://canary-user:canary-pass@h/db",
    "to_name": "BACKUP",
    "to_type": "gof3r",
    "to_url": "https://xfrtu.s3.amazonaws.com/canary-file",
    "options": {},
    "schedule": None,
    "source_bytes": 8000000,
    "processed_bytes": 1234567,
    "succeeded": True,
    "warnings": 0,
    "num_keep": 5,
    "created_at": "2026-11-23 09:33:54 +0000",
    "started_at": "2026-11-23 09:33:55 +0000",
    "finished_at": "2026-11-23T09:34:54Z",
    "updated_at": "x",
    "canceled_at": None,
    "deleted_at": None,
    "purged_at": None,
}


@pytest.fixture
def heroku() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.fixture
def platform(connect: Connect, heroku: respx.MockRouter) -> HerokuPlatform:
    return HerokuPlatform(connect(API, DATA))


@pytest.fixture
def backups(connect: Connect, heroku: respx.MockRouter) -> HerokuBackups:
    heroku.get(f"{DATA}/client/v11/databases/db1").respond(json=DATABASE)
    return HerokuBackups(connect(API, DATA))


def sent(heroku: respx.MockRouter) -> httpx.Request:
    return heroku.calls.last.request


def test_every_request_carries_token_version_and_user_agent(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    heroku.get(f"{API}/account").respond(json={"email": "o@example.org"})
    assert platform.account().email == "o@example.org"
    headers = sent(heroku).headers
    assert headers["Authorization"] == f"Bearer {CANARY}"
    assert headers["Accept"] == "application/vnd.heroku+json; version=3"
    assert headers["User-Agent"].startswith("uscdr/")


def test_an_app_is_read_and_put_into_maintenance(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    body = {
        "id": "a1",
        "name": "clinic",
        "maintenance": True,
        "acm": False,
        "stack": {"name": "heroku-24"},
        "owner": {"email": "o@e"},
        "region": {"name": "us"},
        "web_url": "https://clinic.example/",
        "repo_size": None,
        "released_at": "2026-01-01T00:00:00Z",
    }
    heroku.get(f"{API}/apps/clinic").respond(json=body)
    patch = heroku.patch(f"{API}/apps/clinic").respond(json=body | {"maintenance": False})
    app = platform.app("clinic")
    assert (app.id, app.stack, app.region, app.owner_email, app.maintenance) == ("a1", "heroku-24", "us", "o@e", True)
    assert app.released_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert platform.set_maintenance("clinic", enabled=False).maintenance is False
    assert json.loads(patch.calls.last.request.content) == {"maintenance": False}
    assert patch.calls.last.request.headers["Content-Type"] == "application/json"


def test_config_variables_are_secrets(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    heroku.get(f"{API}/apps/clinic/config-vars").respond(json={"KEY": "canary", "UNSET": None, "EMPTY": ""})
    found = platform.config_vars("clinic")
    assert {name: value.get_secret_value() for name, value in found.items()} == {"KEY": "canary", "EMPTY": ""}
    assert "canary" not in repr(found)


def test_scaling_sends_whole_absolute_numbers_in_one_call(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    answer = [{"type": "worker", "quantity": 0, "dyno_size": {"name": "Basic"}}, {"type": "web", "quantity": "2"}]
    route = heroku.patch(f"{API}/apps/clinic/formation").respond(json=answer)
    worker, web = platform.scale("clinic", {"worker": 0, "web": 2})
    updates = [{"type": "worker", "quantity": 0}, {"type": "web", "quantity": 2}]
    assert json.loads(route.calls.last.request.content) == {"updates": updates}
    assert (worker.quantity, worker.size, web.quantity) == (0, "Basic", 2)


def test_sizes_change_without_their_numbers(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    answer = [{"type": "web", "quantity": 1, "size": "Standard-2X"}]
    route = heroku.patch(f"{API}/apps/clinic/formation").respond(json=answer)
    (web,) = platform.resize("clinic", {"web": "Standard-2X"})
    assert json.loads(route.calls.last.request.content) == {"updates": [{"type": "web", "size": "Standard-2X"}]}
    assert web.size == "Standard-2X"
    with pytest.raises(BadInput):
        platform.resize("clinic", {})


@pytest.mark.parametrize("quantities", [{}, {"web": -1}, {"web": True}])
def test_scaling_to_nonsense_is_refused_before_it_is_sent(
    quantities: dict[str, int], platform: HerokuPlatform, heroku: respx.MockRouter
) -> None:
    with pytest.raises(BadInput):
        platform.scale("clinic", quantities)
    assert heroku.calls.call_count == 0


def test_dynos_are_listed_and_stopped(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    dyno = {"id": "d1", "name": "web.1", "type": "web", "state": "up", "release": {"version": 7}, "command": "gunicorn"}
    heroku.get(f"{API}/apps/clinic/dynos").respond(json=[dyno])
    stop = heroku.post(f"{API}/apps/clinic/dynos/web.1/actions/stop").respond(202, json={})
    assert platform.dynos("clinic")[0].release_version == 7
    platform.stop_dyno("clinic", "web.1")
    assert stop.call_count == 1


def test_stopping_a_dyno_that_is_gone_is_no_error_but_a_missing_app_is(
    platform: HerokuPlatform, heroku: respx.MockRouter
) -> None:
    gone = {"id": "not_found", "resource": "dyno", "message": "Couldn't find that dyno."}
    heroku.post(f"{API}/apps/clinic/dynos/run.9/actions/stop").respond(404, json=gone)
    heroku.get(f"{API}/apps/clinic/dynos").respond(json=[])
    platform.stop_dyno("clinic", "run.9")
    no_app = {"id": "not_found", "resource": "app", "message": "Couldn't find that app."}
    heroku.post(f"{API}/apps/nope/dynos/run.9/actions/stop").respond(404, json=no_app)
    heroku.get(f"{API}/apps/nope/dynos").respond(404, json=no_app)
    with pytest.raises(NotFound, match="There is no application “nope” for this account"):
        platform.stop_dyno("nope", "run.9")


GONE: dict[str, tuple[str, str, Callable[[HerokuPlatform], object]]] = {
    "the app": ("GET", "/apps/nope", lambda platform: platform.app("nope")),
    "config vars": ("GET", "/apps/nope/config-vars", lambda platform: platform.config_vars("nope")),
    "releases": ("GET", "/apps/nope/releases", lambda platform: platform.releases("nope")),
    "formation": ("GET", "/apps/nope/formation", lambda platform: platform.formation("nope")),
    "the database": (
        "POST", "/actions/addon-attachments/resolve", lambda platform: platform.database("nope", "DATABASE_URL")
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", GONE)
def test_an_application_that_is_gone_is_told_in_one_sentence_whatever_was_asked(
    what: str, platform: HerokuPlatform, heroku: respx.MockRouter
) -> None:
    method, path, ask = GONE[what]
    no_app = {"id": "not_found", "resource": "app", "message": "Couldn't find that app."}
    heroku.request(method, f"{API}{path}").respond(404, json=no_app)
    heroku.get(f"{API}/apps/nope/addon-attachments").respond(404, json=no_app)
    with pytest.raises(ApplicationGone) as caught:
        ask(platform)
    assert caught.value.message == "There is no application “nope” for this account."
    assert caught.value.next_action == ApplicationGone.way(kit=False)
    assert "uscdr recover infra --dry-run" in caught.value.next_action
    assert "Heroku refused to" in caught.value.why
    assert caught.value.exit_code is ExitCode.CHECK_FAILED
    assert Finding.without_answer(caught.value).cause == "Heroku refuses: it has no such app (404)"


def test_a_dyno_that_is_there_after_a_404_is_an_error(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    heroku.post(f"{API}/apps/clinic/dynos/web.1/actions/stop").respond(404, json={"id": "not_found"})
    dyno = {"id": "d1", "name": "web.1", "type": "web", "state": "up"}
    heroku.get(f"{API}/apps/clinic/dynos").respond(json=[dyno])
    with pytest.raises(NotFound):
        platform.stop_dyno("clinic", "web.1")


def test_releases_are_one_page_newest_first(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    release = {
        "id": "r3",
        "version": 3,
        "description": "Deploy 3",
        "status": "succeeded",
        "current": True,
        "eligible_for_rollback": True,
        "created_at": "2026-01-01T00:00:00Z",
        "user": {"email": "o@e"},
        "slug": None,
    }
    pages = [release | {"version": 2, "current": False}, release]
    heroku.get(f"{API}/apps/clinic/releases").respond(206, json=pages, headers={"Next-Range": "version ..1; max=2"})
    newest, older = platform.releases("clinic", limit=2)
    assert (newest.version, newest.current, older.version, newest.slug_id) == (3, True, 2, None)
    assert sent(heroku).headers["Range"] == "version ..; max=2, order=desc"
    assert sent(heroku).headers["Accept"].endswith("version=3.sdk")
    assert heroku.calls.call_count == 1


def test_pending_builds_are_counted(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    builds = [{"status": "pending"}, {"status": "succeeded"}, {"status": "failed"}]
    heroku.get(f"{API}/apps/clinic/builds").respond(json=builds)
    assert platform.builds_pending("clinic") == 1


def test_addons_tell_their_owner(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    addon = {
        "id": "db1",
        "name": "pg-1",
        "state": "provisioned",
        "app": {"id": "a2", "name": "other"},
        "plan": {"name": "heroku-postgresql:essential-0"},
        "config_vars": ["DATABASE_URL"],
        "web_url": None,
    }
    heroku.get(f"{API}/apps/clinic/addons").respond(json=[addon])
    found = platform.addons("clinic")[0]
    assert (found.app_name, found.plan, found.config_vars) == (
        "other",
        "heroku-postgresql:essential-0",
        ("DATABASE_URL",),
    )
    assert sent(heroku).headers["Accept-Expansion"] == "addon_service,plan"


def test_every_page_of_a_list_is_followed_and_each_fault_retried(
    platform: HerokuPlatform, heroku: respx.MockRouter, waits: list[float]
) -> None:
    pages = [
        httpx.Response(206, json=[ATTACHMENT], headers={"Next-Range": "]opaque..; max=1000"}),
        httpx.Response(503, html="<html>"),
        httpx.Response(206, json=[ATTACHMENT], headers={"Next-Range": "]more..; max=1000"}),
        httpx.Response(200, json=[ATTACHMENT]),
    ]
    heroku.get(f"{API}/apps/clinic/addon-attachments").mock(side_effect=pages)
    assert len(platform.attachments("clinic")) == 3
    asked = [call.request.headers["Range"] for call in heroku.calls]
    assert asked == ["id ..; max=1000", "]opaque..; max=1000", "]opaque..; max=1000", "]more..; max=1000"]
    assert len(waits) == 1


def test_a_list_that_refuses_the_order_is_read_in_its_own(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    refused = httpx.Response(416, json={"id": "requested_range_not_satisfiable", "message": "x"})
    answers = [refused, httpx.Response(200, json=[{"type": "web", "quantity": 1}])]
    route = heroku.get(f"{API}/apps/clinic/formation").mock(side_effect=answers)
    assert len(platform.formation("clinic")) == 1
    assert ["Range" in call.request.headers for call in route.calls] == [True, False]


def test_a_list_without_end_is_given_up(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    route = heroku.get(f"{API}/apps/clinic/formation")
    route.respond(206, json=[{"type": "web", "quantity": 1}], headers={"Next-Range": "id same.."})
    with pytest.raises(ProviderError, match="returned a list without an end when asked to"):
        platform.formation("clinic")
    assert route.call_count == 2


def test_a_list_of_ever_new_pages_is_given_up_too(
    platform: HerokuPlatform, heroku: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from uscdr.providers.heroku import client

    monkeypatch.setattr(client, "MAX_PAGES", 5)
    route = heroku.get(f"{API}/apps/clinic/formation")
    route.mock(side_effect=lambda _: httpx.Response(206, json=[], headers={"Next-Range": f"id {route.call_count}"}))
    with pytest.raises(ProviderError, match="returned a list without an end when asked to"):
        platform.formation("clinic")


def test_the_database_is_resolved(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    heroku.post(f"{API}/actions/addon-attachments/resolve").respond(json=[ATTACHMENT])
    found = platform.database("clinic")
    assert (found.addon_id, found.owner_app_id, found.plan) == ("db1", "a1", "heroku-postgresql:essential-0")
    assert json.loads(sent(heroku).content) == {"addon_attachment": "DATABASE_URL", "app": "clinic"}
    assert sent(heroku).headers["Accept-Inclusion"] == "addon:plan,config_vars"


@pytest.mark.parametrize("name", ["DATABASE", "DATABASE_URL"])
def test_the_database_is_found_in_the_list_when_resolving_fails(
    name: str, platform: HerokuPlatform, heroku: respx.MockRouter
) -> None:
    missing = {"id": "not_found", "resource": "add_on attachment", "message": "Couldn't find that."}
    heroku.post(f"{API}/actions/addon-attachments/resolve").respond(404, json=missing)
    other = ATTACHMENT | {"name": "SCRATCH", "config_vars": ["SCRATCH_URL"]}
    heroku.get(f"{API}/apps/clinic/addon-attachments").respond(json=[other, ATTACHMENT])
    assert platform.database("clinic", name).name == "DATABASE"
    with pytest.raises(NotFound, match="no Postgres database called NOPE"):
        platform.database("clinic", "NOPE")


def test_an_ambiguous_or_foreign_database_is_never_guessed(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    second = ATTACHMENT | {"addon": ATTACHMENT["addon"] | {"id": "db2", "name": "pg-2"}}
    redis = ATTACHMENT | {"addon": ATTACHMENT["addon"] | {"plan": {"name": "heroku-redis:mini"}}}
    route = heroku.post(f"{API}/actions/addon-attachments/resolve").respond(json=[ATTACHMENT, second])
    with pytest.raises(Conflict, match="pg-1, pg-2"):
        platform.database("clinic")
    route.respond(json=[redis])
    with pytest.raises(NotFound):
        platform.database("clinic")


TRANSFERS = [
    ({}, TransferKind.MANUAL_BACKUP, "b002"),
    ({"schedule": {"uuid": "s"}}, TransferKind.SCHEDULED_BACKUP, "a002"),
    ({"from_type": "gof3r", "to_type": "pg_restore"}, TransferKind.RESTORE, "r002"),
    ({"from_type": "htcat", "to_type": "pg_restore"}, TransferKind.RESTORE, "r002"),
    ({"to_type": "pg_restore"}, TransferKind.COPY, "c002"),
    ({"options": {"pgbackups_name": "b123"}}, TransferKind.MANUAL_BACKUP, "ob123"),
    ({"num": "12"}, TransferKind.MANUAL_BACKUP, "b012"),
    ({"num": 1234}, TransferKind.MANUAL_BACKUP, "b1234"),
]


@pytest.mark.parametrize(("change", "kind", "name"), TRANSFERS)
def test_kind_and_name_of_a_transfer(
    change: dict[str, Any], kind: Any, name: str, backups: HerokuBackups, heroku: respx.MockRouter
) -> None:
    heroku.get(f"{DATA}/client/v11/apps/clinic/transfers").respond(json=[BACKUP | change])
    (found,) = backups.transfers(CLINIC)
    assert (found.kind, found.name) == (kind, name)
    assert "canary" not in repr(found)
    assert (found.stored_at is None) is not found.is_backup


STATES = [
    ({"finished_at": None, "started_at": None, "succeeded": None}, TransferState.PENDING),
    ({"finished_at": None, "succeeded": None}, TransferState.RUNNING),
    ({}, TransferState.COMPLETED),
    ({"finished_at": "x", "warnings": 3}, TransferState.COMPLETED),
    ({"succeeded": False}, TransferState.FAILED),
    ({"succeeded": None}, TransferState.UNTOLD),
    ({"succeeded": "true"}, TransferState.UNTOLD),
    ({"succeeded": False, "canceled_at": "2026-11-23 09:33:54 +0000"}, TransferState.CANCELED),
]


@pytest.mark.parametrize(("change", "state"), STATES)
def test_state_of_a_transfer(
    change: dict[str, Any], state: TransferState, backups: HerokuBackups, heroku: respx.MockRouter
) -> None:
    heroku.get(f"{DATA}/client/v11/apps/clinic/transfers").respond(json=[BACKUP | change])
    assert backups.transfers(CLINIC)[0].state is state


def test_a_transfer_keeps_its_facts(backups: HerokuBackups, heroku: respx.MockRouter) -> None:
    body = BACKUP | {"logs": [{"created_at": "x", "level": "info", "message": "ok"}], "purged_at": "x"}
    heroku.get(f"{DATA}/client/v11/apps/clinic/transfers/2?verbose=true").respond(json=body)
    found = backups.transfer("clinic", "b002")
    assert found.created_at == datetime(2026, 11, 23, 9, 33, 54, tzinfo=UTC)
    assert found.finished_at == datetime(2026, 11, 23, 9, 34, 54, tzinfo=UTC)
    assert (found.source_bytes, found.processed_bytes, found.num_keep) == (8000000, 1234567, 5)
    assert (found.logs, found.expired) == (("ok",), True)
    assert found.stored_at is not None
    assert found.stored_at.get_secret_value() == BACKUP["to_url"]


@pytest.mark.parametrize("ref", ["2", "b002", "b2", BACKUP["uuid"]])
def test_a_transfer_is_found_by_number_name_or_id(ref: str, backups: HerokuBackups, heroku: respx.MockRouter) -> None:
    path = ref if ref == BACKUP["uuid"] else "2"
    heroku.get(f"{DATA}/client/v11/apps/clinic/transfers/{path}?verbose=true").respond(json=BACKUP)
    assert backups.transfer("clinic", ref).num == 2


def test_a_name_that_does_not_fit_its_number_is_not_found(backups: HerokuBackups, heroku: respx.MockRouter) -> None:
    restore = BACKUP | {"from_type": "gof3r", "to_type": "pg_restore"}
    heroku.get(f"{DATA}/client/v11/apps/clinic/transfers/2?verbose=true").respond(json=restore)
    with pytest.raises(NotFound) as caught:
        backups.transfer("clinic", "b002")
    assert "r002" in caught.value.why


AT_ANOTHER = "postgres://canary-user:canary-pass@h/other"
WHOSE = [
    ({}, Whose.OURS),
    ({"from_name": "HEROKU_POSTGRESQL_CYAN"}, Whose.OURS),  # as it was called before it was promoted
    ({"from_url": AT_ANOTHER, "from_name": "ANALYTICS"}, Whose.OTHER),
    ({"from_url": AT_ANOTHER}, Whose.OTHER),  # of the database that was DATABASE before
    ({"from_url": "postgres://u:p@leader/db", "from_name": "HEROKU_POSTGRESQL_CYAN"}, Whose.UNKNOWN),
    ({"from_url": "postgres://u:p@before-maintenance/db"}, Whose.OURS),
    ({"from_url": None}, Whose.OURS),
    ({"from_url": None, "from_name": "pg-1"}, Whose.OURS),
    ({"from_url": None, "from_name": "ANALYTICS"}, Whose.UNKNOWN),
    ({"from_url": "postgres://[", "from_name": ""}, Whose.UNKNOWN),
    ({"from_type": "gof3r", "to_type": "pg_restore", "to_url": AT_ANOTHER, "to_name": "ANALYTICS"}, Whose.OTHER),
    ({"from_type": "gof3r", "to_type": "pg_restore", "to_url": BACKUP["from_url"]}, Whose.OURS),
    ({"to_type": "pg_restore", "to_url": AT_ANOTHER, "to_name": "ANALYTICS"}, Whose.OURS),  # a copy of ours
    ({"to_type": "pg_restore", "to_url": BACKUP["from_url"], "from_url": AT_ANOTHER}, Whose.OURS),  # a copy into ours
    ({"from_type": "x", "to_type": "y"}, Whose.UNKNOWN),
]


@pytest.mark.parametrize(("change", "whose"), WHOSE)
def test_a_transfer_tells_whether_it_is_of_the_add_on(
    change: dict[str, Any], whose: Whose, backups: HerokuBackups, heroku: respx.MockRouter
) -> None:
    heroku.get(f"{DATA}/client/v11/apps/clinic/transfers").respond(json=[BACKUP | change])
    (found,) = backups.transfers(CLINIC)
    assert found.whose is whose
    assert "canary" not in repr(found)


@pytest.mark.parametrize(("label", "whose"), [("DATABASE", Whose.OURS), ("ANALYTICS", Whose.UNKNOWN)])
def test_where_the_database_cannot_be_described_the_label_decides(
    label: str, whose: Whose, backups: HerokuBackups, heroku: respx.MockRouter
) -> None:
    heroku.get(f"{DATA}/client/v11/databases/db1").respond(404, json={"id": "not_found", "message": "no"})
    heroku.get(f"{DATA}/client/v11/apps/clinic/transfers").respond(json=[BACKUP | {"from_name": label}])
    assert backups.transfers(CLINIC)[0].whose is whose


def test_transfers_come_oldest_first(backups: HerokuBackups, heroku: respx.MockRouter) -> None:
    newer = BACKUP | {"num": 3, "created_at": "2026-11-23T10:00:00+00:00"}
    heroku.get(f"{DATA}/client/v11/apps/clinic/transfers").respond(json=[newer, BACKUP])
    assert [transfer.num for transfer in backups.transfers(CLINIC)] == [2, 3]
    assert "Range" not in sent(heroku).headers


@pytest.mark.parametrize("missing", ["uuid", "num", "created_at"])
def test_a_listed_transfer_without_identity_or_age_is_refused(
    missing: str, backups: HerokuBackups, heroku: respx.MockRouter
) -> None:
    body = {name: value for name, value in BACKUP.items() if name != missing}
    heroku.get(f"{DATA}/client/v11/apps/clinic/transfers").respond(json=[body])
    with pytest.raises(ProviderError) as caught:
        backups.transfers(CLINIC)
    assert missing in caught.value.why


def test_a_backup_is_started_without_a_body(backups: HerokuBackups, heroku: respx.MockRouter) -> None:
    started = {"uuid": "t1", "num": 1, "from_type": "pg_dump", "to_type": "gof3r", "from_name": "DATABASE"}
    heroku.post(f"{DATA}/client/v11/databases/db1/backups").respond(201, json=started)
    found = backups.capture("db1")
    assert (found.id, found.name, found.state) == ("t1", "b001", TransferState.PENDING)
    assert sent(heroku).content == b""
    assert "Content-Type" not in sent(heroku).headers


def test_a_restore_sends_the_source_and_needs_only_the_id_back(
    backups: HerokuBackups, heroku: respx.MockRouter
) -> None:
    heroku.post(f"{DATA}/client/v11/databases/db1/restores").respond(201, json={"uuid": "t2"})
    found = backups.restore("db1", SecretStr("https://x/1"), extensions=["pgcrypto"])
    assert (found.id, found.kind, found.num) == ("t2", TransferKind.RESTORE, 0)
    assert json.loads(sent(heroku).content) == {"backup_url": "https://x/1", "extensions": ["pgcrypto"]}
    backups.restore("db1", SecretStr("https://x/1"))
    assert json.loads(sent(heroku).content) == {"backup_url": "https://x/1"}


def test_a_transfer_is_cancelled(backups: HerokuBackups, heroku: respx.MockRouter) -> None:
    route = heroku.post(f"{DATA}/client/v11/apps/clinic/transfers/t1/actions/cancel").respond(200, json={})
    backups.cancel("clinic", "t1")
    assert route.call_count == 1


def test_a_download_link_is_a_secret(backups: HerokuBackups, heroku: respx.MockRouter) -> None:
    body = {"url": "https://x/canary", "expires_at": "2026-11-23T10:00:00Z"}
    heroku.post(f"{DATA}/client/v11/apps/clinic/transfers/1/actions/public-url").respond(201, json=body)
    link = backups.public_url("clinic", 1)
    assert link.expires_at == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert "canary" not in repr(link)


def test_schedules_and_database_facts(backups: HerokuBackups, heroku: respx.MockRouter) -> None:
    schedule = {"uuid": "s1", "name": "DATABASE_URL", "hour": "02", "timezone": "UTC", "retain_weeks": 1}
    heroku.get(f"{DATA}/client/v11/databases/db1/transfer-schedules").respond(json=[schedule])
    info = {"info": [{"name": "Plan", "values": ["Essential 0"]}, {"name": "Tables", "values": [12]}, {"name": "None"}]}
    heroku.get(f"{DATA}/client/v11/databases/db1").respond(json=info)
    assert backups.schedules("db1")[0].hour == 2
    facts = backups.database_info("db1")
    assert (facts.value("Plan"), facts.value("Tables"), facts.value("None")) == ("Essential 0", "12", "")


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23 09:33:54 +0000",
        "2026-11-23T09:33:54Z",
        "2026-11-23T09:33:54+00:00",
        "2026-11-23 11:33:54 +0200",
        "2026-11-23 09:33:54 UTC",
        "2026-11-23T09:33:54",
    ],
)
def test_every_form_of_a_time(value: str) -> None:
    assert _parse_moment(value) == datetime(2026, 11, 23, 9, 33, 54, tzinfo=UTC)


@pytest.mark.parametrize("value", ["x", "", "2026-13-01", "0001-01-01 00:00:00 +2359"])
def test_what_is_no_time(value: str) -> None:
    assert _parse_moment(value) is None


def test_an_answer_about_another_transfer_is_none(backups: HerokuBackups, heroku: respx.MockRouter) -> None:
    other = BACKUP | {"uuid": "8b9dbe52-0000-4e0b-9d6a-b2c3a4d5e6f7", "num": 9}
    heroku.get(f"{DATA}/client/v11/apps/clinic/transfers/{BACKUP['uuid']}?verbose=true").respond(json=other)
    with pytest.raises(ProviderError) as caught:
        backups.transfer("clinic", str(BACKUP["uuid"]))
    assert "it is about another object than the requested one" in caught.value.why
    assert caught.value.retryable


def test_an_answer_about_another_application_is_none(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    heroku.get(f"{API}/apps/clinic").respond(json={"id": "a2", "name": "partner", "maintenance": False})
    with pytest.raises(ProviderError, match="sent an unexpected answer when asked to") as caught:
        platform.app("clinic")
    assert "it is about another object than the requested one" in caught.value.why


def test_an_entry_that_is_listed_twice_is_there_once(backups: HerokuBackups, heroku: respx.MockRouter) -> None:
    heroku.get(f"{DATA}/client/v11/apps/clinic/transfers").respond(json=[BACKUP, BACKUP])
    assert [one.num for one in backups.transfers(CLINIC)] == [2]


ODD = ["\u00b2", "\u0663", "1_0", "9" * 5000, "-1", "1e9", " 1"]


@pytest.mark.parametrize("odd", ODD)
def test_odd_numbers_in_headers_are_passed_over(odd: str, platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    headers = [(b"RateLimit-Remaining", odd.encode()), (b"Date", b"Mon, 01 Jan 99999999999 0:0:0 GMT")]
    answer = httpx.Response(200, json={"email": "o@e"}, headers=headers)
    heroku.get(f"{API}/account").mock(return_value=answer)
    assert platform.account().email == "o@e"


def test_numbers_and_times_that_cannot_be_are_no_answer(backups: HerokuBackups, heroku: respx.MockRouter) -> None:
    route = heroku.get(f"{DATA}/client/v11/apps/clinic/transfers")
    for change in ({"processed_bytes": 10**400}, {"num": "\u00b2"}, {"created_at": "9999-12-31 23:59:59 +0000"}):
        route.respond(json=[BACKUP | change])
        with pytest.raises(ProviderError, match="sent an unexpected answer when asked to"):
            backups.transfers(CLINIC)


def test_a_list_whose_pages_never_end_is_an_error(platform: HerokuPlatform, heroku: respx.MockRouter) -> None:
    marks = iter(range(1000))

    def page(_: httpx.Request) -> httpx.Response:
        return httpx.Response(206, json=[{"id": "d1", "name": "web.1"}], headers={"Next-Range": f"id {next(marks)}"})

    heroku.get(f"{API}/apps/clinic/addons").mock(side_effect=page)
    with pytest.raises(ProviderError):
        platform.addons("clinic")
    assert next(marks) < 50


@pytest.mark.parametrize(("hours", "told"), [(0, []), (2, [2]), (-3, [-3])])
def test_clocks_that_are_apart_are_said_once(
    hours: int, told: list[int], heroku: respx.MockRouter, connect: Connect
) -> None:
    said: list[float] = []
    there = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
    heroku.get(f"{API}/account").respond(json={"email": "o@e"}, headers={"Date": there})
    client = connect(API, on_clock=said.append)
    for _ in range(3):
        HerokuPlatform(client).account()
    assert [round(seconds / 3600) for seconds in said] == told
    ahead = HerokuBackups(client).clock() - datetime.now(UTC)
    assert abs(ahead - timedelta(hours=hours)) < timedelta(seconds=30)
