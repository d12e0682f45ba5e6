"""What a new place is made of, without a provider: config, plans, what is known of the old place, code."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lost_place import alive, lost
from pydantic import SecretStr

from fake_building import PlaceDeploys, PlaceProvisioning
from fake_deploys import COMMITS
from fake_places import PlaceBackups, PlacePlatform
from uscdr.errors import BadInput, CredentialsRefused
from uscdr.kit.content import AppFacts
from uscdr.models.heroku import AddOn, AddonPlan, App, Attachment, Build
from uscdr.scenarios.config_app import Recovery
from uscdr.scenarios.infra.config import ConfigInputs, NewConfig
from uscdr.scenarios.infra.old import OldApplication, OldApplicationReader
from uscdr.scenarios.infra.services import AddonOrder, LostAddons, _had, _known

OLD_URL, NEW_URL = "https://usc-pis.herokuapp.com/", "https://usc-pis-recovery-1.herokuapp.com/"
NEW_HOST = "usc-pis-recovery-1.herokuapp.com"


def test_a_build_that_made_no_slug_yet_did_not_make_what_runs() -> None:
    pending = Build(id="b", status="pending", commit="a" * 40)
    unsaid, good = (Build(id="c", status="succeeded", commit=commit, slug_id="s") for commit in ("", "b" * 40))
    assert Build.commit_of(None, (pending, unsaid, good)) == ""
    assert Build.commit_of("s", (pending, unsaid, good)) == "b" * 40
    assert Build.commit_of("other", (pending, unsaid, good)) == ""


def made(
    values: dict[str, str], *, addons: frozenset[str] = frozenset(), old: str = OLD_URL, new: str = NEW_URL
) -> NewConfig:
    secret = {name: SecretStr(value) for name, value in values.items()}
    around = ConfigInputs(made=addons, hosts=(urlsplit(old).netloc,), names=("www.usc-pis.example",), new_url=new)
    return NewConfig.of(secret, Recovery(), around)


def shown(values: object) -> dict[str, str]:
    assert isinstance(values, dict)
    return {name: value.get_secret_value() for name, value in values.items()}


def test_everything_is_copied_but_what_add_ons_set_and_what_is_withheld() -> None:
    config = made(
        {"SECRET_KEY": "s", "EMPTY": "", "DATABASE_URL": "postgres://old", "GMAIL_CLIENT_ID": "id", "PGP": "k\nk"},
        addons=frozenset({"DATABASE_URL", "REDIS_URL"}),
    )
    assert shown(config.values) == {"SECRET_KEY": "s", "EMPTY": "", "PGP": "k\nk"}
    assert shown(config.withheld) == {"GMAIL_CLIENT_ID": "id"}
    assert config.from_addons == ("DATABASE_URL",)
    assert config.changed == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://usc-pis.herokuapp.com", "https://usc-pis-recovery-1.herokuapp.com"),
        ("https://USC-PIS.herokuapp.com/", "https://usc-pis-recovery-1.herokuapp.com/"),
        ("https://www.usc-pis.example", "https://www.usc-pis.example"),
        ("https://usc-pis.herokuapp.com:8443", "https://usc-pis.herokuapp.com:8443"),
        ("", ""),
    ],
)
def test_its_own_address_is_adapted_and_the_domains_is_not(value: str, expected: str) -> None:
    assert shown(made({"SITE_URL": value}).values)["SITE_URL"] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", NEW_HOST),
        ("www.usc-pis.example", f"www.usc-pis.example,{NEW_HOST}"),
        ("*", "*"),
        (".herokuapp.com", ".herokuapp.com"),
        ("herokuapp.com", f"herokuapp.com,{NEW_HOST}"),
        (f"localhost, {NEW_HOST.upper()}", f"localhost, {NEW_HOST.upper()}"),
        ("a,,b", f"a,,b,{NEW_HOST}"),
    ],
)
def test_the_new_host_is_added_to_the_hosts_unless_it_is_allowed_already(value: str, expected: str) -> None:
    assert shown(made({"ALLOWED_HOSTS": value}).values)["ALLOWED_HOSTS"] == expected


def test_a_port_of_the_new_address_is_no_part_of_the_allowed_host() -> None:
    config = made({"ALLOWED_HOSTS": "a"}, new="http://127.0.0.1:8123/")
    assert shown(config.values)["ALLOWED_HOSTS"] == "a,127.0.0.1"


def test_before_the_new_address_is_known_nothing_is_adapted_to_it() -> None:
    assert shown(made({"ALLOWED_HOSTS": "a"}, new="").values) == {"ALLOWED_HOSTS": "a"}


def addon(plan: str) -> AddOn:
    return AddOn(id=plan, name=plan, state="provisioned", plan=plan)


CONFIGURED = ("heroku-postgresql:essential-0", "heroku-redis:mini")
SOLD = {
    "heroku-postgresql": [
        AddonPlan(name="heroku-postgresql:mini", state="end_of_life", cents=500),
        AddonPlan(name="heroku-postgresql:essential-0", state="ga", cents=500),
        AddonPlan(name="heroku-postgresql:standard-0", state="ga", cents=5000),
    ],
    "heroku-redis": [AddonPlan(name="heroku-redis:mini", state="ga", cents=300)],
}


def test_the_old_plans_are_ordered_while_they_are_sold() -> None:
    ordered = AddonOrder.of([addon("heroku-postgresql:standard-0"), addon("heroku-redis:mini")], CONFIGURED, SOLD)
    assert ordered.plans == ("heroku-postgresql:standard-0", "heroku-redis:mini")
    assert (ordered.replaced, ordered.cents) == ((), 5300)


def test_a_plan_that_has_ended_is_replaced_and_said_to_be() -> None:
    ordered = AddonOrder.of([addon("heroku-postgresql:mini")], CONFIGURED, SOLD)
    assert ordered.plans[0] == "heroku-postgresql:essential-0"
    assert "heroku-postgresql:mini is no longer sold" in ordered.replaced[0]


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    sold = {**SOLD, "heroku-redis": [AddonPlan(name="heroku-redis:mini", state="ga")]}
    assert AddonOrder.of([], CONFIGURED, sold).cents is None


@pytest.mark.parametrize("offers", [[], [AddonPlan(name="heroku-redis:premium-0", state="ga")]])
def test_what_is_not_sold_is_bad_input_with_what_is(offers: list[AddonPlan]) -> None:
    with pytest.raises(BadInput) as refused:
        AddonOrder.of([addon("heroku-redis:hobby-dev")], CONFIGURED, {**SOLD, "heroku-redis": offers})
    assert "heroku-redis" in refused.value.message
    assert all(plan.name in refused.value.why for plan in offers)
    assert "recovery.addons" in refused.value.next_action


def facts_of(*addons: AddOn, names: dict[str, str]) -> AppFacts:
    """An application with these add-ons; `names`: attachment -> id of the add-on."""
    attachments = tuple(
        Attachment(name=name, app_name="usc-pis", addon_id=of, addon_name=of, config_vars=(f"{name}_URL",))
        for name, of in names.items()
    )
    app = App(id="1", name="usc-pis", maintenance=False)
    return AppFacts(
        app=app, account="a", formation=(), addons=addons, attachments=attachments, release=None, commit=""
    )  # fmt: skip


def fates(facts: AppFacts) -> dict[str, str]:
    return {
        one.addon.id: one.fate.value
        for one in _had(facts, "usc-pis", Recovery(addons=CONFIGURED).services, "DATABASE_URL")
    }


def test_add_ons_of_other_services_are_named_not_ordered() -> None:
    logs = addon("papertrail:choklad").model_copy(update={"config_vars": ("PAPERTRAIL_API_TOKEN",)})
    facts = facts_of(addon("heroku-postgresql:mini"), logs, names={})
    assert Recovery(addons=CONFIGURED).services == ("heroku-postgresql", "heroku-redis")
    found = _had(facts, "usc-pis", Recovery(addons=CONFIGURED).services, "DATABASE_URL")
    assert LostAddons(found, {}).left_out == ("papertrail:choklad (papertrail:choklad, PAPERTRAIL_API_TOKEN)",)


def test_the_database_is_the_one_behind_its_variable_and_a_second_one_is_not_made_anew() -> None:
    second, first = addon("heroku-postgresql:standard-0"), addon("heroku-postgresql:mini")
    facts = facts_of(second, first, names={"ANALYTICS": second.id, "DATABASE": first.id, "REPORTS": first.id})
    assert fates(facts) == {second.id: "not made anew", first.id: "made anew"}


def test_a_second_queue_is_not_made_anew() -> None:
    cache, queue = addon("heroku-redis:premium-0"), addon("heroku-redis:mini")
    facts = facts_of(cache, queue, names={"CACHE": cache.id, "REDIS": queue.id})
    assert fates(facts) == {cache.id: "not made anew", queue.id: "made anew"}


def test_a_database_of_another_application_is_made_anew_only_when_it_is_the_main_one() -> None:
    theirs = addon("heroku-postgresql:mini").model_copy(update={"app_name": "data"})
    own = addon("heroku-postgresql:standard-0").model_copy(update={"app_name": "usc-pis"})
    main = facts_of(theirs, own, names={"DATABASE": theirs.id, "ANALYTICS": own.id})
    assert fates(main) == {theirs.id: "made anew", own.id: "not made anew"}
    beside = facts_of(theirs, own, names={"LEDGER": theirs.id, "DATABASE": own.id})
    assert fates(beside) == {theirs.id: "of another application", own.id: "made anew"}


def test_a_further_credential_of_the_database_is_not_given_the_owners() -> None:
    main = addon("heroku-postgresql:mini")
    facts = facts_of(main, names={"DATABASE_READER": main.id, "DATABASE": main.id, "REPORTS": main.id})
    owner = "postgres://uowner1234:powner12345678@db.example:5432/d12345678"
    reader = owner.replace("uowner1234", "ureader1234").replace("powner12345678", "preader12345678")
    values = {"DATABASE_URL": owner, "DATABASE_READER_URL": reader, "REPORTS_URL": owner, "COPY": f"{owner}?a=1"}
    config = {name: SecretStr(value) for name, value in values.items()}
    found = _had(facts, "usc-pis", Recovery(addons=CONFIGURED).services, "DATABASE_URL")
    around = ConfigInputs(tuple(_known(LostAddons(found, config), (), {})), made=frozenset({"DATABASE_URL"}))
    made_ = NewConfig.of(config, Recovery(), around)
    assert list(made_.left) == ["DATABASE_READER_URL"]
    assert (sorted(made_.values), made_.changed) == (["COPY", "REPORTS_URL"], ("COPY", "REPORTS_URL"))


def seen(run: object, kit: object) -> OldApplication:
    places = run.places  # type: ignore[attr-defined]
    platform, provisioning = PlacePlatform(places), PlaceProvisioning(places)
    look = OldApplicationReader(platform, provisioning, PlaceDeploys(places), PlaceBackups(places), kit)  # type: ignore[arg-type]
    return look.place("usc-pis")


def test_an_application_that_answers_is_its_own_witness(quick: Path) -> None:
    run = alive(quick)
    place = seen(run, run.kit)
    assert (place.answers, place.origin) == (True, "the old application")
    assert place.facts is not None
    assert place.facts.commit == COMMITS["main"]
    assert place.facts.hostnames == ("www.usc-pis.example",)


def test_of_a_lost_one_the_kit_tells(quick: Path) -> None:
    run = lost(quick)
    place = seen(run, run.kit)
    assert place.answers is False
    assert place.origin.startswith("the kit ")
    assert place.config["SECRET_KEY"].get_secret_value() == "sessions"
    assert "sessions" not in repr(place)


def test_one_that_this_account_may_not_see_is_lost_to_it(quick: Path) -> None:
    run = alive(quick)
    run.places.forbidden = {"usc-pis"}
    assert "may not see it" in seen(run, run.kit).why
    assert seen(run, None).config == {}


def test_a_suspended_account_is_no_lost_application(quick: Path) -> None:
    run = alive(quick)
    run.places.locked = True
    with pytest.raises(CredentialsRefused):
        seen(run, run.kit)


def test_the_newer_dump_is_chosen(quick: Path) -> None:
    run = alive(quick)
    assert run.kit is not None
    assert run.kit.kept is not None
    run.begin(dry_run=True)
    assert _chosen(run).startswith("b001")
    older, newer = run.places.old.transfers[0].created_at, run.kit.kept.taken_at
    assert older == newer
    run.places.old.transfers[0] = run.places.old.transfers[0].model_copy(
        update={"created_at": older.replace(year=older.year - 1)}
    )
    run.begin(dry_run=True)
    assert _chosen(run).startswith("kit:")


def _chosen(run: object) -> str:
    lines = run.events("plan.ready")[-1]["steps"]  # type: ignore[attr-defined]
    return str(next(line["summary"] for line in lines if line["id"] == "choose"))


@pytest.mark.parametrize(("commit", "code"), [(COMMITS["main"], 0), ("e" * 40, 1)])
def test_code_comes_from_the_kit_when_no_repository_has_it(quick: Path, commit: str, code: int) -> None:
    run = lost(quick)
    assert run.kit is not None
    assert run.kit.code is not None
    run.kit.code = run.kit.code.model_copy(update={"commit": commit})
    run.without_repository = True
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert int(ending.code) == 0  # whatever the kit's code is: it is what ran
    assert run.kit.facts is not None
    run.request = type(run.request)("infra", app="usc-pis-recovery", kit="newest", ref=COMMITS["main"])
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert int(ending.code) == code


def test_what_cannot_be_done_now_is_a_line_of_the_plan(quick: Path) -> None:
    run = lost(quick)
    run.places.faults["zone_read", 1] = "down"
    run.begin(dry_run=True)
    lines = {line["id"]: line["summary"] for line in run.events("plan.ready")[-1]["steps"]}
    assert "NOT POSSIBLE NOW: switch of the domain" in lines["scope"]
    assert "4 of 5 parts can be done" in lines["scope"]
    assert "not known: the zone does not answer" in lines["decide"]
    assert "promised (RTO) 2 h" in lines["decide"]
