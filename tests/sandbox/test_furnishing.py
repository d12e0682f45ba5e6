"""What a sandbox has by default beside its application, and that the platform's own restore lives with it."""

from __future__ import annotations

from typing import Any

import httpx
import psycopg

from live_sandbox import Live
from uscdr.sandbox.boot.furnishing import FILES, NEIGHBOUR, SECOND

TRIGGERS = "SELECT evtname FROM pg_event_trigger JOIN pg_roles r ON r.oid = evtowner WHERE r.rolsuper ORDER BY evtname"
NAMES = ["extension_before_drop", "log_create_ext", "log_drop_ext", "validate_extension"]


def ask(url: str, query: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        return [row[0] for row in connection.execute(query.encode()).fetchall()]


def config(live: Live, app: str) -> dict[str, str]:
    return dict(live.get(f"/apps/{app}/config-vars"))


def test_every_database_has_the_platforms_objects_and_its_locale(media_site: Live) -> None:
    ours = config(media_site, media_site.app)
    for url in (ours["DATABASE_URL"], ours[f"{SECOND}_URL"]):
        assert ask(url, TRIGGERS) == NAMES
        assert ask(url, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == ["C.UTF-8"]


def test_an_application_and_a_database_are_beside_it(media_site: Live) -> None:
    ours = config(media_site, media_site.app)
    assert ask(ours[f"{SECOND}_URL"], "SELECT count(*) FROM visits_by_month") == [12]
    assert config(media_site, NEIGHBOUR) == {"CLINIC_URL": ours["DATABASE_URL"]}


def test_another_schema_holds_a_table_with_a_time_that_cannot_be(media_site: Live) -> None:
    rows = media_site.sql("SELECT count(*), max(due_at)::text FROM archive.referral")
    assert rows == [(20, "12026-11-28 09:00:00+00")]


def test_rows_name_files_that_not_everybody_gets(media_site: Live) -> None:
    named = str(media_site.sql("SELECT documents FROM patients_dentalrecord ORDER BY id LIMIT 1"))
    known = {(one["type"], one["public_id"]) for one in media_site.control("GET", "media/truth")}
    media = media_site.contract["cloudinary"]
    for one in FILES:
        assert one.link in named
        assert (one.delivery, one.public_id) in known
        address = f"{media['delivery_url']}/{media['cloud']}/raw/{one.delivery}/v1/{one.public_id}"
        assert httpx.get(address, trust_env=False).status_code in (401, 404)


def test_the_platform_restores_its_dump_and_keeps_its_own_objects(media_site: Live) -> None:
    link = media_site.send("POST", "/client/v11/apps/usc-pis/transfers/1/actions/public-url")["url"]
    body = {"app": media_site.app, "addon_attachment": f"{SECOND}_URL"}
    second = media_site.send("POST", "/actions/addon-attachments/resolve", body)[0]["addon"]["id"]
    begun = media_site.send("POST", f"/client/v11/databases/{second}/restores", {"backup_url": link}, status=201)
    done = media_site.transfer(begun["uuid"])
    assert (done["succeeded"], done["warnings"]) == (True, 0)
    url = config(media_site, media_site.app)[f"{SECOND}_URL"]
    assert ask(url, TRIGGERS) == NAMES
    assert ask(url, "SELECT count(*) FROM archive.referral") == [20]
    assert ask(url, "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = '_heroku'") == ["postgres"]
