"""Hostnames that only a wildcard answers for, and those that cannot have a CNAME."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lost_place import Recovery, alive, end_state, ended, lost, sent

from fake_names import OLD
from fake_places import HOST
from uscdr.errors import ExitCode, ProviderError
from uscdr.kit.content import DnsFacts, HostRecords
from uscdr.models.heroku import Domain
from uscdr.scenarios.adapters import Request
from uscdr.wiring.past_runs import remember

DONE, CHECK = ExitCode.DONE, ExitCode.CHECK_FAILED
NEW = "usc-pis-recovery"
CLINIC, APEX = "clinic.usc-pis.example", "usc-pis.example"
WHY = "it is the apex of its zone, where a CNAME is not allowed"


def also_at(run: Recovery, hostname: str) -> Recovery:
    """The application answers at one more name."""
    assert run.kit is not None
    assert run.kit.facts is not None
    one = Domain(id=hostname, hostname=hostname, kind="custom", cname=f"old-{hostname}", acm_status="cert issued")
    run.kit.facts = run.kit.facts.model_copy(update={"domains": (*run.kit.facts.domains, one)})
    return run


def summary(run: Recovery, step: str) -> str:
    found = [one for one in run.events("step.") if one.get("step") == step and one.get("summary")]
    return str(found[-1]["summary"])


@pytest.mark.parametrize("writable", [True, False])
def test_a_name_that_only_a_wildcard_answers_for_gets_a_record_beside_it(quick: Path, writable: bool) -> None:
    run = also_at(lost(quick), CLINIC)
    names = run.names
    assert names is not None
    names.wildcard, names.writable, names.by_hand = "old-target.dns.example", writable, True
    run.phrase()
    decided = next(one for one in run.events("plan.ready")[-1]["steps"] if one["id"] == "decide")
    assert f"{HOST} (now " in decided["summary"]
    assert f"{CLINIC} (now " in decided["summary"]
    assert ended(run.begin()) == (DONE, "")
    assert sorted(names.held) == [CLINIC, HOST]
    assert names.held[CLINIC].values == (f"clinic-usc-pis-example-{NEW}.dns.example",)
    assert len(sent(run, "swap")) == (2 if writable else 0)


def test_a_rollback_takes_the_added_record_away_and_is_done_while_the_wildcard_answers_on(quick: Path) -> None:
    run = also_at(lost(quick), CLINIC)
    assert run.names is not None
    run.names.wildcard = "old-target.dns.example"
    assert ended(run.begin()) == (DONE, "")
    key = run.target().key
    assert {new.name: old for old, new in remember(run.state, key).switched}[CLINIC] is None
    run.request = Request("dns")
    assert ended(run.begin()) == (DONE, "")
    assert run.names.held == {HOST: OLD}
    assert "2 names moved" in summary(run, "rollback_dns")


def test_a_name_that_cannot_be_a_cname_is_left_to_a_person_and_the_rest_goes_on(quick: Path) -> None:
    run = also_at(lost(quick), APEX)
    names = run.names
    assert names is not None
    names.obstacles, names.aliases = {APEX: WHY}, {APEX: "old-usc-pis.example"}
    run.phrase()
    decided = next(one for one in run.events("plan.ready")[-1]["steps"] if one["id"] == "decide")
    assert f"{APEX} LEFT TO A PERSON: {WHY}" in decided["summary"]
    code, words = ended(run.begin())
    assert code is CHECK
    assert f"point {APEX} at usc-pis-example-{NEW}.dns.example (ALIAS, ANAME or a flattened CNAME" in words
    assert "GMAIL_CLIENT_ID" in run.places.apps[NEW].values
    assert end_state(run)["formation"] == {"web": 2, "worker": 3, "beat": 1}
    assert end_state(run)["captures"] == 1
    assert sorted(names.held) == [HOST]
    assert f"{APEX}: not checked, because a person has to create its record" in summary(run, "await_certificates")
    assert ended(run.resume())[0] is CHECK  # nobody did it yet
    names.aliases = {APEX: f"usc-pis-example-{NEW}.dns.example"}
    assert ended(run.resume()) == (DONE, "")


def test_a_name_that_a_person_has_pointed_there_meanwhile_is_no_open_end(quick: Path) -> None:
    run = also_at(lost(quick), APEX)
    assert run.names is not None
    run.names.obstacles = {APEX: WHY}
    run.names.aliases = {APEX: f"usc-pis-example-{NEW}.dns.example"}
    assert ended(run.begin()) == (DONE, "")


@pytest.mark.parametrize(("led", "code"), [(False, DONE), (True, CHECK), (None, CHECK)])
def test_a_name_that_did_not_lead_to_the_lost_place_is_told_and_is_no_open_end(
    quick: Path, led: bool | None, code: ExitCode
) -> None:
    run = also_at(lost(quick), APEX)
    assert run.names is not None
    assert run.kit is not None
    run.names.obstacles = {APEX: WHY}
    run.kit.names = DnsFacts(hosts=(HostRecords(hostname=APEX, authoritative=(), led=led),))
    ending = run.begin()
    assert ended(ending)[0] is code
    said = summary(run, "left") if code is DONE else ended(ending)[1]
    assert f"point {APEX} at" in said
    assert ("did not point to the old application either" in said) is (code is DONE)


@pytest.mark.parametrize(("leads_to", "code"), [("", DONE), (f"old-{APEX}", CHECK)])
def test_a_name_of_a_place_that_lives_is_looked_at(quick: Path, leads_to: str, code: ExitCode) -> None:
    run = alive(quick)
    assert run.names is not None
    old = Domain(id=APEX, hostname=APEX, kind="custom", cname=f"old-{APEX}", acm_status="cert issued")
    run.places.old.hosts.append(old)
    run.names.obstacles, run.names.aliases = {APEX: WHY}, {APEX: leads_to}
    assert ended(run.begin())[0] is code


def seen_from_outside(run: Recovery, answer: Callable[[str, str], int]) -> None:
    """How the world answers those who come by a public name."""
    real = run.seen_by_checks
    tls = cast("Any", SimpleNamespace(answer=answer))
    run.seen_by_checks = lambda context, sends: replace(real(context, sends), tls=tls)  # type: ignore[method-assign]


def test_the_last_look_comes_by_the_public_names_at_the_new_targets_address(quick: Path) -> None:
    run = also_at(lost(quick), APEX)
    assert run.names is not None
    run.names.obstacles, run.names.aliases = {APEX: WHY}, {APEX: "old-usc-pis.example"}
    asked: list[tuple[str, str]] = []

    def answer(hostname: str, address: str) -> int:
        asked.append((hostname, address))
        return 200

    seen_from_outside(run, answer)
    assert ended(run.begin())[0] is CHECK
    assert asked == [(HOST, "192.0.2.8")]
    assert summary(run, "public") == (
        f"https://{HOST}/ answers 200, its certificate is trusted; "
        f"{APEX}: not checked, because a person has to create its record or certificate"
    )
    verdicts = {one["check"]: one["verdict"] for one in run.events("check.finished") if "public" in one["check"]}
    assert verdicts == {f"public address of {HOST}": "pass", f"public address of {APEX}": "not checked"}


def test_a_place_that_refuses_its_public_name_is_not_recovered(quick: Path) -> None:
    run = lost(quick)
    seen_from_outside(run, lambda hostname, address: 400)
    code, words = ended(run.begin())
    assert code is CHECK
    assert f"https://{HOST}/ answers 400, the application's own address 200" in words

    def unreachable(hostname: str, address: str) -> int:
        raise ProviderError(f"The certificate of {hostname} is not valid.", provider="tls")

    seen_from_outside(run, unreachable)
    assert f"{HOST}: The certificate" in ended(run.resume())[1]
    seen_from_outside(run, lambda hostname, address: 200)
    assert ended(run.resume()) == (DONE, "")


@pytest.mark.parametrize(("status", "code"), [(400, DONE), (404, CHECK), (503, CHECK)])
def test_a_name_that_the_application_never_listed_may_be_refused_by_it(
    quick: Path, status: int, code: ExitCode
) -> None:
    run = also_at(lost(quick), CLINIC)
    seen_from_outside(run, lambda hostname, address: status if hostname == CLINIC else 200)
    assert ended(run.begin())[0] is code
