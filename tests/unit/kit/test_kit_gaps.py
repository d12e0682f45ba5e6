"""What cannot be had is said, with its reason; it never vanishes and never ends the rest."""

from __future__ import annotations

from typing import Any

import pytest

from fakes import APP, Data, FakePlatform
from kit_world import HOST, Code, Workshop, key
from uscdr.errors import CredentialsRefused, Interrupted, MachineError, ProviderError
from uscdr.kit.collect.media import MOST_FAILURES
from uscdr.kit.collect.sources import Absent
from uscdr.kit.find import KitLine
from uscdr.kit.manifest import PARTS, PartName
from uscdr.models.data_settings import Invariant
from uscdr.models.heroku import AddOn
from uscdr.models.media import Access, AccessRule
from uscdr.models.migrations import Lack
from uscdr.providers.ports.progress import Progress

NOT_THERE = Absent("It is not configured.")


@pytest.mark.parametrize(
    ("port", "part", "state"),
    [
        ("provisioning", "app", "partial"),
        ("deploys", "app", "partial"),
        ("verifier", "dns", "partial"),
        ("zone", "dns", "partial"),
        ("scratch", "dump", "partial"),
        ("source", "source", "partial"),
        ("media", "media", "missing"),
    ],
)
def test_an_absent_port_is_a_gap_with_its_reason(shop: Workshop, port: str, part: PartName, state: str) -> None:
    built = shop.build(sources=shop.sources(**{port: NOT_THERE}))
    found = built.manifest.part(part)
    assert found.state == state
    assert any("not configured" in gap.why for gap in found.gaps)
    assert not built.card.complete
    assert {one.name for one in built.manifest.parts} == set(PARTS)


def test_what_a_tarball_does_not_hold_is_named(shop: Workshop) -> None:
    lacks = (Lack(path="backend/shared", what="submodule"), Lack(path="backend/codes.csv", what="Git LFS pointer"))
    built = shop.build(sources=shop.sources(source=Code(lacks=lacks)))
    part = built.manifest.part("source")
    assert part.state == "partial"
    assert [gap.what for gap in part.gaps] == ["backend/shared (submodule)", "backend/codes.csv (Git LFS pointer)"]
    assert "another repository" in part.gaps[0].why
    source = shop.read(built).source()
    assert source is not None
    assert source.lacks == lacks
    assert source.sha256


TOKEN = Access(rules=(AccessRule(access_type="token"),))


def test_a_kit_keeps_who_may_have_a_file(shop: Workshop) -> None:
    shop.cloud.access[key(1)] = TOKEN
    secret = key(2).model_copy(update={"delivery": "authenticated"})
    shop.cloud.files[secret] = b"secret"
    built = shop.build()
    part = built.manifest.part("media")
    assert (part.state, "2 restricted" in part.summary) == ("complete", True)
    known = shop.read(built).inventory()
    assert (known[key(1)].access, known[key(2)].access) == (TOKEN, Access())
    with shop.read(built).open(secret) as path:
        assert path.read_bytes() == b"secret"


def test_who_may_have_a_file_is_asked_where_the_listing_does_not_tell(shop: Workshop) -> None:
    shop.cloud.tells = False
    shop.cloud.access = {one: Access() for one in shop.cloud.files} | {key(1): TOKEN}
    built = shop.build()
    assert built.manifest.part("media").state == "complete"
    assert shop.read(built).inventory()[key(1)].access == TOKEN
    del shop.cloud.access[key(2)]
    part = shop.build().manifest.part("media")
    assert part.state == "partial"
    assert part.gaps[0].what.startswith("access rights of 1 media file (image file ")
    assert "would be public" in part.gaps[0].why


def test_the_other_parts_are_kept_when_one_is_refused(shop: Workshop) -> None:
    shop.world.faults["config_vars", 1] = "refused"
    built = shop.build()
    assert built.manifest.part("config").state == "missing"
    assert built.manifest.part("dump").state == "complete"
    assert not built.card.complete
    kit = shop.read(built)
    assert kit.config() is None
    assert kit.app() is not None


def test_a_required_variable_that_the_application_has_not(shop: Workshop) -> None:
    built = shop.build(required=("PGP_ENCRYPTION_KEY", "GMAIL_REFRESH_TOKEN"))
    assert [gap.what for gap in built.manifest.part("config").gaps] == ["GMAIL_REFRESH_TOKEN"]


def test_without_the_app_the_configured_hostnames_are_asked(shop: Workshop) -> None:
    shop.world.faults["app", 1] = "refused"
    built = shop.build(hostnames=(HOST.upper() + ".",))
    states = {part.name: part.state for part in built.manifest.parts}
    assert states == {"app": "missing", "config": "complete", "dns": "partial", "dump": "complete", "source": "missing",
                      "media": "complete"}  # fmt: skip
    dns = shop.read(built).dns()
    assert dns
    assert [host.hostname for host in dns.hosts] == [HOST]


def test_what_else_keeps_data_is_named_and_makes_the_dump_no_complete_one(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def addon(name: str, plan: str, *names: str, owner: str = APP) -> AddOn:
        return AddOn(id=name, name=name, state="provisioned", plan=plan, app_name=owner, config_vars=names)

    main = FakePlatform(shop.world).addons(APP)
    others = (
        addon("pg-2", "heroku-postgresql:mini", "ANALYTICS_URL"), addon("files", "bucketeer:micro", "BUCKETEER_NAME"),
        addon("logs", "papertrail:choklad"), addon("queue", "heroku-redis:mini", "REDIS_URL"),
        addon("pg-3", "heroku-postgresql:mini", "LEDGER_URL", owner="billing"),
    )  # fmt: skip
    monkeypatch.setattr(FakePlatform, "addons", lambda *_: (*main, *others))
    part = shop.build().manifest.part("dump")
    assert part.state == "partial"
    assert [gap.what for gap in part.gaps] == ["pg-2", "files"]
    assert "ANALYTICS_URL: its data is NOT in this kit" in part.gaps[0].why
    shop.world.transfers = []
    part = shop.build().manifest.part("dump")
    assert (part.state, [gap.what for gap in part.gaps]) == ("missing", ["dump", "pg-2", "files"])


def test_a_deployed_commit_that_no_build_tells(shop: Workshop) -> None:
    shop.world.releases = [shop.world.releases[0].model_copy(update={"slug_id": "another"})]
    built = shop.build()
    assert built.manifest.part("app").state == "partial"
    assert built.manifest.part("source").state == "missing"


def test_a_commit_that_the_repository_has_not(shop: Workshop) -> None:
    shop.place.builds = lambda app: (  # type: ignore[method-assign]
        type(shop.place)().builds(app)[0].model_copy(update={"commit": "f" * 40}),
    )
    built = shop.build()
    source = shop.read(built).source()
    assert built.manifest.part("source").gaps[0].why.startswith("The source repository has no such commit.")
    assert source
    assert (source.commit, source.sha256) == ("f" * 40, "")


def test_name_servers_that_do_not_answer(shop: Workshop) -> None:
    shop.names.silent = True
    built = shop.build()
    assert "Not every name server answered" in built.manifest.part("dns").gaps[0].why


def test_a_hostname_without_any_record(shop: Workshop) -> None:
    shop.names.records.clear()
    built = shop.build()
    assert [gap.what for gap in built.manifest.part("dns").gaps] == [HOST]


def test_what_a_wildcard_answers_is_kept_and_not_taken_for_a_record(shop: Workshop) -> None:
    shop.names.records.clear()
    shop.names.wildcard = "elsewhere.example.net"
    built = shop.build()
    assert built.manifest.part("dns").gaps == ()
    kept = shop.read(built).dns()
    assert kept is not None
    (host,) = kept.hosts
    assert (host.authoritative, host.led) == ((), False)
    assert host.wildcard[0].values == ("elsewhere.example.net",)


def test_whether_a_hostname_led_to_the_application(shop: Workshop) -> None:
    kept = shop.read(shop.build()).dns()
    assert kept is not None
    assert kept.hosts[0].led is True


def test_a_dump_that_does_not_restore_is_kept_and_said_to_be_so(shop: Workshop) -> None:
    shop.world.dumps[1] = Data(tables={})
    built = shop.build()
    part = built.manifest.part("dump")
    assert (part.state, part.gaps[0].what) == ("partial", "a dump that restores")
    with shop.read(built).open_object("database.dump") as path:
        assert path.read_bytes().startswith(b"PGDMP")


def test_a_failing_invariant_is_a_gap(shop: Workshop) -> None:
    wanted = Invariant(name="many patients", sql="count patients_patient", minimum=10_000)
    built = shop.build(invariants=(wanted,))
    assert [gap.what for gap in built.manifest.part("dump").gaps] == ["invariant: many patients"]


@pytest.mark.parametrize("change", [{"expired": True}, {"transfers": ()}])
def test_no_backup_that_could_be_kept(shop: Workshop, change: dict[str, Any]) -> None:
    old = shop.world.transfers[0]
    shop.world.transfers = [old.model_copy(update=change)] if "expired" in change else []
    built = shop.build()
    assert built.manifest.part("dump").state == "missing"
    assert "uscdr kit build --capture" in built.manifest.part("dump").gaps[0].why


def test_left_out_on_purpose_is_no_gap_but_is_said(shop: Workshop) -> None:
    built = shop.build(without=frozenset({"media", "dump"}))
    assert built.card.complete
    assert {part.name for part in built.card.parts if part.state == "left out"} == {"media", "dump"}
    assert shop.cloud.downloads == []


def test_refused_credentials_store_nothing(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = shop.sources()

    def refuse() -> None:
        raise CredentialsRefused("The token is refused.", provider="fake")

    monkeypatch.setattr(sources.platform, "account", refuse)
    with pytest.raises(CredentialsRefused):
        shop.build(sources=sources)
    assert shop.files() == []


def test_a_disk_that_fails_while_downloading_ends_the_build(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = shop.sources()

    def full(app: str, num: int, destination: object, progress: Progress) -> None:
        raise MachineError("No room.")

    monkeypatch.setattr(sources.backups, "download", full)
    with pytest.raises(MachineError):
        shop.build(sources=sources)
    assert [line.state for line in KitLine.all(shop.store)] == ["unfinished"]


def test_one_media_file_that_fails_is_named_by_a_digest_only(shop: Workshop) -> None:
    shop.cloud.broken = {key(2)}
    built = shop.build()
    (gap,) = built.manifest.part("media").gaps
    assert "502" in gap.why
    assert "canary-file" not in gap.what
    assert set(shop.read(built).inventory()) == set(shop.cloud.files) - {key(2)}


def test_a_service_that_is_down_is_not_asked_for_ever(shop: Workshop) -> None:
    shop.cloud.files = {key(number): b"x" for number in range(200)}
    shop.cloud.placeholders.clear()
    shop.cloud.broken = set(shop.cloud.files)
    built = shop.build()
    assert MOST_FAILURES <= len(shop.cloud.downloads) < MOST_FAILURES + 4
    assert built.manifest.part("media").state == "partial"
    assert "195 more media files" in built.manifest.part("media").gaps[-1].what


def test_media_that_cannot_be_listed(shop: Workshop) -> None:
    shop.cloud.down = True
    assert shop.build().manifest.part("media").gaps[0].why == "The media service is down."


def test_a_stop_leaves_no_kit_and_what_was_fetched_is_not_fetched_again(shop: Workshop) -> None:
    shop.cloud.files = {key(number): b"file %d" % number for number in range(40)}
    shop.cloud.on_download = lambda number: shop.stop.set() if number == 20 else None
    with pytest.raises(Interrupted):
        shop.build()
    assert [line.state for line in KitLine.all(shop.store)] == ["unfinished"]
    assert list(shop.work.iterdir()) == []
    fetched = len(shop.cloud.downloads)
    shop.stop.clear()
    shop.cloud.on_download = lambda number: None
    built = shop.build()
    assert built.card.complete
    assert len(shop.cloud.downloads) == 40 + (fetched - 20 if fetched > 40 else 0)


def test_a_provider_error_of_the_platform_itself_is_raised(shop: Workshop) -> None:
    shop.world.faults["account", 1] = "down"
    with pytest.raises(ProviderError):
        shop.build()
