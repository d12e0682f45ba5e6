"""Faults: each kind is what it says to the client, and hits the call it was meant for."""

from __future__ import annotations

import json
import ssl
import time

import httpx
import pytest

from live_sandbox import Live
from uscdr.errors import BadInput
from uscdr.sandbox.faults.rules import CONNECTION_KINDS

# A client that is still writing when the reset comes finds the end of the stream instead.
RESET = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


def _maintenance(live: Live) -> bool:
    return bool(live.get(f"/apps/{live.app}")["maintenance"])


@pytest.mark.parametrize(
    ("kind", "error", "done"),
    [
        ("refuse", RESET, False),  # a reset when the body was still on its way
        ("timeout-before", httpx.ReadTimeout, False),
        ("timeout-after", httpx.ReadTimeout, True),
        ("reset-before", RESET, False),
        ("reset-after", RESET, True),
    ],
)
def test_broken_connections_come_before_or_after_the_effect(
    live: Live, kind: str, error: type[Exception] | tuple[type[Exception], ...], done: bool
) -> None:
    live.fault(kind, method="PATCH", path="/apps/*")
    with pytest.raises(error):
        live.api.patch(f"/apps/{live.app}", json={"maintenance": True}, timeout=0.5)
    assert _maintenance(live) is done
    last = [one for one in live.audit() if one["method"] == "PATCH"][-1]
    assert (last["fault"], last["status"], last["write"]) == (kind, 0, True)
    assert kind in CONNECTION_KINDS


@pytest.mark.parametrize(
    "kind", ["401", "403", "403-two-factor", "404", "409", "422", "423-confirmation", "429", "500"]
)
def test_statuses_come_with_a_json_error_and_no_effect(live: Live, kind: str) -> None:
    live.fault(kind, method="PATCH")
    answer = live.api.patch(f"/apps/{live.app}", json={"maintenance": True})
    assert answer.status_code == int(kind[:3])
    assert {"id", "message"} <= answer.json().keys()
    assert ("retry-after" in answer.headers) is (kind == "429")
    assert _maintenance(live) is False


def test_a_bare_429_gives_no_advice(live: Live) -> None:
    live.fault("429-bare")
    answer = live.api.get("/apps")
    assert (answer.status_code, "retry-after" in answer.headers) == (429, False)


@pytest.mark.parametrize(("kind", "status"), [("503-html", 503), ("html-200", 200), ("empty-200", 200)])
def test_answers_that_are_no_json(live: Live, kind: str, status: int) -> None:
    live.fault(kind)
    answer = live.api.get("/apps")
    assert answer.status_code == status
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_truncated_answer_breaks_off(live: Live) -> None:
    live.fault("truncated")
    with pytest.raises(httpx.RemoteProtocolError):
        live.api.get("/apps")


def test_wrong_types_keep_the_shape(live: Live) -> None:
    live.fault("wrong-types")
    assert list(live.api.get("/apps").json()) == ["items"]


def test_a_redirect_leads_elsewhere(live: Live) -> None:
    live.fault("redirect")
    assert live.api.get("/apps").headers["location"].endswith(".invalid/")


def test_slow_is_slow_and_works(live: Live) -> None:
    live.fault("slow:0.3")
    began = time.monotonic()
    assert live.api.get("/apps").status_code == 200
    assert time.monotonic() - began > 0.3


def test_a_rule_hits_the_calls_it_names(live: Live) -> None:
    live.fault("500", method="GET", path="/apps/*", call=2, count=2)
    statuses = [live.api.get(f"/apps/{live.app}").status_code for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]
    assert live.api.get("/account").status_code == 200
    rule = live.control("GET", "faults")[0]
    assert (rule["seen"], rule["applied"]) == (5, 2)
    live.control("DELETE", "faults")
    live.fault("500", count=0)
    assert {live.api.get("/account").status_code for _ in range(5)} == {500}


def test_an_add_on_may_take_its_time(live: Live) -> None:
    live.send("POST", "/apps", {"name": "patience"}, status=201)
    live.fault("slow-provisioning", method="POST", path="*/addons")
    body = {"plan": "heroku-postgresql:essential-0"}
    made = live.send("POST", "/apps/patience/addons", body, status=201)
    assert made["state"] == "provisioning"
    assert live.get(f"/client/v11/databases/{made['id']}/wait_status")["waiting?"] is True
    live.send("DELETE", "/apps/patience")


def test_an_unknown_kind_is_refused(live: Live) -> None:
    with pytest.raises(BadInput, match="no fault kind"):
        live.fault("earthquake")


def test_a_one_off_may_be_out_of_reach_or_cut_off(live: Live) -> None:
    live.fault("dyno-unreachable", method="POST", path="*/dynos")
    with pytest.raises((AssertionError, ConnectionError, ssl.SSLError)):
        live.attached("echo never")
    live.fault("dyno-cut", method="POST", path="*/dynos")
    output = live.attached("echo begun; sleep 30; echo ended")
    assert b"begun" in output
    assert b"ended" not in output


def test_a_refusal_whose_effect_comes_later(live: Live) -> None:
    live.fault("late:0.5", method="PATCH")
    assert live.api.patch(f"/apps/{live.app}", json={"maintenance": True}).status_code == 503
    assert not _maintenance(live)
    until = time.monotonic() + 60
    while not _maintenance(live) and time.monotonic() < until:
        time.sleep(0.05)
    assert _maintenance(live)


def test_odd_headers_and_bodies_without_end(live: Live) -> None:
    live.fault("odd-headers")
    assert live.api.get("/apps").headers["ratelimit-remaining"] == "\u00b2"
    live.fault("endless")
    with live.api.stream("GET", "/apps") as answer:
        size = 0
        for chunk in answer.iter_raw():
            size += len(chunk)
            if size > 1_000_000:
                break
    assert size > 1_000_000
