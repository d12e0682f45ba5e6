"""Requests and answers of provisioning, as the Platform API has them; refusals in words that help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from heroku_wire import Connect, StartPeer, answer
from pydantic import SecretStr

from uscdr.errors import BadInput, Conflict, NotFound, ProviderError
from uscdr.models.base import REVEAL
from uscdr.models.heroku import AddonPlan, Domain, LogDrain
from uscdr.providers.heroku.provisioning import HerokuProvisioning

pytest_plugins = ("heroku_wire",)

APP = {"id": "a1", "name": "recovery", "maintenance": False, "stack": {"name": "heroku-24"}, "region": {"name": "us"}}
ADDON = {"id": "d1", "name": "pg-1", "state": "provisioning", "plan": {"name": "heroku-postgresql:essential-0"}}
DOMAIN = {
    "id": "h1",
    "hostname": "www.clinic.example",
    "kind": "custom",
    "status": "pending",
    "cname": "x.herokudns.com",
    "acm_status": "failing",
    "acm_status_reason": "Failing CAA check",
    "sni_endpoint": {"id": "s1", "name": "tokyo-1"},
}
PLATFORM_DOMAIN = {"id": "h0", "hostname": "recovery-1.herokuapp.com", "kind": "heroku", "cname": None}


def refused(message: str, error_id: str = "invalid_params", status: int = 422) -> Any:
    return answer(status, {"id": error_id, "message": message})


def test_an_app_is_created_with_what_was_wished(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(201, APP))
    port = HerokuProvisioning(connect(server.url))
    assert port.create_app("recovery").name == "recovery"
    assert port.create_app("recovery", region="eu", stack="heroku-24").region == "us"
    assert [(one.method, one.path, one.json()) for one in server.requests] == [
        ("POST", "/apps", {"name": "recovery"}),
        ("POST", "/apps", {"name": "recovery", "region": "eu", "stack": "heroku-24"}),
    ]


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (answer(200, APP), "by an app of this account"),
        (refused("no access", "forbidden", 403), "cannot see"),
        (refused("none", "not_found", 404), "cannot see"),
    ],
)
def test_a_taken_name_is_a_conflict_that_says_whose_it_is(
    look: Any, words: str, peer: StartPeer, connect: Connect
) -> None:
    server = peer(refused("Name is already taken"), look)
    with pytest.raises(Conflict) as caught:
        HerokuProvisioning(connect(server.url)).create_app("recovery")
    assert words in caught.value.message
    assert "another name" in caught.value.next_action
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (refused("You've reached the limit of 100 apps."), "The account has reached its limit of apps"),
        (refused("Please verify your account", "verification_required", 402), "no verified card"),
        (refused("Please verify your account", "verification_needed"), "no verified card"),
        (refused("Name must start with a letter"), "does not accept the values"),
    ],
)
def test_an_app_that_may_not_be_created_says_why(refusal: Any, words: str, peer: StartPeer, connect: Connect) -> None:
    with pytest.raises(ProviderError, match=words) as caught:
        HerokuProvisioning(connect(peer(refusal).url)).create_app("recovery")
    assert type(caught.value) is ProviderError
    assert caught.value.next_action


PLANS = [
    {"name": "heroku-postgresql:mini", "state": "ended", "price": {"cents": 500, "unit": "month"}},
    {"name": "heroku-postgresql:standard-0", "state": "ga", "price": {"cents": 5000, "unit": "month"}},
    {"name": "heroku-postgresql:essential-0", "state": "ga", "price": {"cents": 500, "unit": "month"}, "default": True},
    {"name": "heroku-postgresql:metered", "state": "ga", "price": {"cents": 1, "unit": "hour"}},
]


def test_plans_with_their_monthly_price(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(200, PLANS))
    plans = HerokuProvisioning(connect(server.url)).plans("heroku-postgresql")
    assert server.requests[0].path == "/addon-services/heroku-postgresql/plans"
    assert plans[0] == AddonPlan(name="heroku-postgresql:mini", state="ended", cents=500)
    assert plans[2].default
    assert plans[3].cents is None


def test_an_addon_is_ordered_and_not_waited_for(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(201, ADDON))
    port = HerokuProvisioning(connect(server.url))
    made = port.create_addon("recovery", "heroku-postgresql:essential-0", name="pg-1")
    assert (made.state, made.plan) == ("provisioning", "heroku-postgresql:essential-0")
    assert port.addon("recovery", "pg-1") == made
    assert server.requests[0].json() == {"plan": "heroku-postgresql:essential-0", "confirm": "recovery", "name": "pg-1"}
    assert server.requests[1].path == "/apps/recovery/addons/pg-1"


@pytest.mark.parametrize(
    ("refusal", "plan"),
    [
        (refused("The mini plan has reached end-of-life", "addon_error"), "heroku-postgresql:mini"),
        (refused("Couldn't find either the add-on service or the add-on plan"), "heroku-postgresql:tiny"),
    ],
)
def test_a_plan_that_is_not_sold_is_told_with_those_that_are(
    refusal: Any, plan: str, peer: StartPeer, connect: Connect
) -> None:
    server = peer(refusal, answer(200, PLANS))
    with pytest.raises(ProviderError) as caught:
        HerokuProvisioning(connect(server.url)).create_addon("recovery", plan)
    assert plan in caught.value.message
    assert "essential-0 ($5 a month), heroku-postgresql:standard-0 ($50 a month)" in caught.value.next_action
    assert "mini" not in caught.value.next_action
    assert len([one for one in server.requests if one.method == "POST"]) == 1


def test_a_refused_order_of_a_plan_that_is_sold_stays_as_it_is(peer: StartPeer, connect: Connect) -> None:
    server = peer(refused("Name pg-1 is already taken"), answer(200, PLANS))
    with pytest.raises(ProviderError, match="does not accept the values"):
        HerokuProvisioning(connect(server.url)).create_addon("recovery", "heroku-postgresql:essential-0")


def test_an_order_refused_while_the_plans_cannot_be_read(peer: StartPeer, connect: Connect) -> None:
    server = peer(refused("ended", "addon_error"), refused("none", "not_found", 404))
    with pytest.raises(ProviderError) as caught:
        HerokuProvisioning(connect(server.url)).create_addon("recovery", "heroku-postgresql:mini")
    assert caught.value.error_id == "addon_error"
    assert caught.value.next_action


def test_buildpacks_keep_their_order(peer: StartPeer, connect: Connect) -> None:
    listed = [
        {"ordinal": 1, "buildpack": {"name": "heroku/python", "url": "urn:python"}},
        {"ordinal": 0, "buildpack": {"url": "https://github.com/x/y"}},
    ]
    server = peer(answer(200, listed))
    port = HerokuProvisioning(connect(server.url))
    assert port.buildpacks("recovery") == ("https://github.com/x/y", "heroku/python")
    port.set_buildpacks("recovery", ["heroku/nodejs", "heroku/python"])
    assert server.requests[1].method == "PUT"
    assert server.requests[1].path == "/apps/recovery/buildpack-installations"
    assert server.requests[1].json() == {"updates": [{"buildpack": "heroku/nodejs"}, {"buildpack": "heroku/python"}]}


def test_all_config_goes_in_one_call_and_none_removes(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(200, {"A": "1"}))
    HerokuProvisioning(connect(server.url)).set_config("recovery", {"A": SecretStr("1"), "B": None})
    assert [(one.method, one.path, one.json()) for one in server.requests] == [
        ("PATCH", "/apps/recovery/config-vars", {"A": "1", "B": None})
    ]


def test_a_refusal_that_echoes_values_shows_none(peer: StartPeer, connect: Connect) -> None:
    values = {"KEY": "canary one", "EMPTY": "", "I": "i", "D": "d", "LONG": "canary one and more"}
    server = peer(refused(f"Bad values: {values['LONG']}, {values['KEY']}."))
    with pytest.raises(ProviderError) as caught:
        HerokuProvisioning(connect(server.url)).set_config("x", {name: SecretStr(one) for name, one in values.items()})
    assert "canary" not in str(vars(caught.value))
    assert len(caught.value.why) < 400


def test_no_config_to_set_is_bad_input(connect: Connect) -> None:
    with pytest.raises(BadInput):
        HerokuProvisioning(connect()).set_config("recovery", {})


def test_domains(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(200, [PLATFORM_DOMAIN, DOMAIN]))
    first, second = HerokuProvisioning(connect(server.url)).domains("recovery")
    assert (first.kind, first.cname, first.acm_status) == ("heroku", None, None)
    assert second == Domain(
        id="h1",
        hostname="www.clinic.example",
        kind="custom",
        status="pending",
        cname="x.herokudns.com",
        acm_status="failing",
        acm_reason="Failing CAA check",
        sni_endpoint="tokyo-1",
    )


def test_a_domain_is_added_with_the_key_that_must_be_there(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(201, DOMAIN))
    assert HerokuProvisioning(connect(server.url)).add_domain("recovery", "www.clinic.example").id == "h1"
    assert server.requests[0].json() == {"hostname": "www.clinic.example", "sni_endpoint": None}


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (refused("www.clinic.example is currently in use by another app."), "Another app has the hostname"),
        (refused("www.clinic.example is already in use", "conflict", 409), "Another app has the hostname"),
        (refused("Domain already added to this app."), "already has the hostname"),
    ],
)
def test_a_hostname_that_is_held_is_a_conflict(refusal: Any, words: str, peer: StartPeer, connect: Connect) -> None:
    with pytest.raises(Conflict, match=words) as caught:
        HerokuProvisioning(connect(peer(refusal).url)).add_domain("recovery", "www.clinic.example")
    assert "domains" in caught.value.next_action


def test_removing_a_domain_that_is_gone_is_no_error(peer: StartPeer, connect: Connect) -> None:
    gone = refused("Couldn't find that domain.", "not_found", 404)
    port = HerokuProvisioning(connect(peer(gone, answer(200, [PLATFORM_DOMAIN])).url))
    port.remove_domain("recovery", "www.clinic.example")


def test_removing_a_domain_of_an_app_that_is_gone_is_one(peer: StartPeer, connect: Connect) -> None:
    port = HerokuProvisioning(connect(peer(refused("none", "not_found", 404)).url))
    with pytest.raises(NotFound):
        port.remove_domain("recovery", "www.clinic.example")


@pytest.mark.parametrize(("acm", "raises"), [(True, False), (False, True)])
def test_certificates_that_are_on_already_are_no_error(
    acm: bool, raises: bool, peer: StartPeer, connect: Connect
) -> None:
    server = peer(refused("already enabled"), answer(200, APP | {"acm": acm}))
    port = HerokuProvisioning(connect(server.url))
    if raises:
        with pytest.raises(ProviderError):
            port.enable_certificates("recovery")
    else:
        port.enable_certificates("recovery")
    assert server.requests[0].path == "/apps/recovery/acm"


def test_collaborators_are_added_silently(peer: StartPeer, connect: Connect) -> None:
    someone = {"user": {"email": "a@clinic.example"}}
    server = peer(answer(201, someone), answer(200, [someone]))
    port = HerokuProvisioning(connect(server.url))
    port.add_collaborator("recovery", "a@clinic.example")
    assert server.requests[0].json() == {"user": "a@clinic.example", "silent": True}
    assert port.collaborators("recovery") == ("a@clinic.example",)


def test_a_collaborator_who_is_in_already_is_no_error(peer: StartPeer, connect: Connect) -> None:
    listed = answer(200, [{"user": {"email": "A@clinic.example"}}])
    already = refused("User is already a collaborator on app.")
    HerokuProvisioning(connect(peer(already, listed).url)).add_collaborator("recovery", "a@clinic.example")
    with pytest.raises(ProviderError):
        HerokuProvisioning(connect(peer(already, listed).url)).add_collaborator("recovery", "b@clinic.example")


def test_of_a_log_drain_only_the_host_is_shown(peer: StartPeer, connect: Connect) -> None:
    url = SecretStr("https://u:canary-word@logs.example:8443/in?key=canary-key")
    drain = {"id": "l1", "url": url.get_secret_value(), "token": "d.canary"}
    second = {"id": "l2", "url": "https://[bad", "addon": {"id": "a1", "name": "papertrail-round-1"}}
    server = peer(answer(201, drain), answer(200, [drain, second]))
    port = HerokuProvisioning(connect(server.url))
    made = port.add_log_drain("recovery", url)
    assert made == LogDrain(id="l1", host="logs.example", url=url)
    bad = LogDrain(id="l2", host="", url=SecretStr("https://[bad"), addon="papertrail-round-1")
    assert port.log_drains("recovery") == (made, bad)
    for shown in (repr(made), str(made), made.model_dump_json(), str(made.model_dump())):
        assert "canary" not in shown
    again = LogDrain.model_validate_json(made.model_dump_json(context=REVEAL))
    assert again == made
    assert server.requests[0].json() == {"url": url.get_secret_value()}


def test_a_backup_schedule_takes_the_hour_as_two_digits(peer: StartPeer, connect: Connect) -> None:
    server = peer(answer(201, {"uuid": "s1", "name": "DATABASE_URL", "hour": "02", "timezone": "Asia/Manila"}))
    port = HerokuProvisioning(connect("https://api.invalid", server.url))
    made = port.schedule_backups("db1", "DATABASE_URL", hour=2, timezone="Asia/Manila")
    assert (made.id, made.hour) == ("s1", 2)
    assert server.requests[0].path == "/client/v11/databases/db1/transfer-schedules"
    assert server.requests[0].json() == {"hour": "02", "timezone": "Asia/Manila", "schedule_name": "DATABASE_URL"}


@pytest.mark.parametrize("hour", [-1, 24, True])
def test_an_hour_that_no_day_has_is_bad_input(hour: int, connect: Connect) -> None:
    with pytest.raises(BadInput):
        HerokuProvisioning(connect()).schedule_backups("db1", "DATABASE_URL", hour=hour, timezone="UTC")


CALLS: list[Callable[[HerokuProvisioning], object]] = [
    lambda port: port.addon("x", ".."),
    lambda port: port.domains(""),
    lambda port: port.plans("."),
    lambda port: port.remove_domain("x", ".."),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_name_that_would_address_something_else_is_bad_input(
    call: Callable[[HerokuProvisioning], object], connect: Connect
) -> None:
    with pytest.raises(BadInput):
        call(HerokuProvisioning(connect()))
