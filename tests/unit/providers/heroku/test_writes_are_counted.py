"""Every writing request of an adapter is counted by the guard, unless the provider certainly refused it."""

from __future__ import annotations

import pytest
from heroku_wire import Answer, Connect, StartPeer, answer, reset
from pydantic import SecretStr
from test_heroku_faults import READS, WRITES

from uscdr.errors import AnswerLost, ProviderError
from uscdr.models.dns import RecordSet
from uscdr.providers.dns.cloudflare import CloudflareClient, CloudflareZone
from uscdr.providers.http.retry import RetryPolicy
from uscdr.write_guard import WriteGuard

pytest_plugins = ("heroku_wire",)

REFUSALS: dict[str, Answer] = {
    "403": answer(403, {"id": "forbidden", "message": "No."}),
    "404": answer(404, {"id": "not_found", "message": "No."}),
    "409": answer(409, {"id": "conflict", "message": "No."}),
    "422": answer(422, {"id": "invalid_params", "message": "No."}),
    "429 without a body": answer(429),
}
UNCLEAR: dict[str, Answer] = {
    "500": answer(500, {"id": "internal", "message": "No."}),
    "503 as a page": answer(503, b"<html>"),
    "403 as a page": answer(403, b"<html>"),
    "cut": reset,
    "accepted, and unreadable": answer(201, b"<html>"),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_write_that_was_certainly_refused_changed_nothing(
    write: str, refusal: str, peer: StartPeer, connect: Connect
) -> None:
    guard, server = WriteGuard(), peer(REFUSALS[refusal])
    with pytest.raises(ProviderError):
        WRITES[write](connect(server.url, leave=guard))
    assert server.requests
    assert guard.sent == 0


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("nature", UNCLEAR)
def test_a_write_whose_answer_says_nothing_may_have_changed_something(
    write: str, nature: str, peer: StartPeer, connect: Connect
) -> None:
    guard, server = WriteGuard(), peer(UNCLEAR[nature])
    with pytest.raises(ProviderError):
        WRITES[write](connect(server.url, leave=guard))
    assert guard.sent >= 1


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("nature", [*REFUSALS, "500"])
def test_a_read_counts_for_nothing(read: str, nature: str, peer: StartPeer, connect: Connect) -> None:
    guard, server = WriteGuard(), peer(({**REFUSALS, **UNCLEAR})[nature])
    with pytest.raises(ProviderError):
        READS[read](connect(server.url, leave=guard))
    assert guard.sent == 0


def test_refused_for_now_and_then_accepted_is_one(peer: StartPeer, connect: Connect) -> None:
    guard = WriteGuard()
    server = peer(REFUSALS["429 without a body"], REFUSALS["429 without a body"], answer(200, {"maintenance": True}))
    with pytest.raises(AnswerLost):  # the rest of the app is missing
        WRITES["set_maintenance"](connect(server.url, leave=guard))
    assert (len(server.requests), guard.sent) == (3, 1)


def test_a_first_write_that_was_accepted_counts_although_the_second_is_refused(
    peer: StartPeer, connect: Connect
) -> None:
    guard = WriteGuard()
    client = connect(peer(answer(202, {}), REFUSALS["403"]).url, leave=guard)
    WRITES["cancel"](client)
    with pytest.raises(ProviderError):
        WRITES["restore"](client)
    assert guard.sent == 1


ZONE = answer(200, {"success": True, "errors": [], "result": [{"id": "z1", "name": "clinic.example"}],
                    "result_info": {"page": 1, "total_pages": 1}})  # fmt: skip
EMPTY = answer(200, {"success": True, "errors": [], "result": [], "result_info": {"page": 1, "total_pages": 1}})


@pytest.mark.parametrize(
    ("nature", "counted"),
    [
        (answer(400, {"success": False, "errors": [{"code": 9021, "message": "TTL"}], "result": None}), 0),
        (answer(403, {"success": False, "errors": [{"code": 10000, "message": "No."}], "result": None}), 0),
        (answer(429), 0),
        (answer(403, b"<html>"), 0),
        (answer(409, b"<html>"), 1),
        (answer(502, b"<html>"), 1),
        (reset, 1),
    ],
)
def test_a_change_of_a_zone_over_http(nature: Answer, counted: int, peer: StartPeer) -> None:
    guard, server = WriteGuard(), peer(ZONE, EMPTY, nature)
    client = CloudflareClient(
        SecretStr("cf-token"), base_url=server.url, read_only=False, leave=guard, sleep=lambda _: None,
        policy=RetryPolicy(attempts=3),
    )  # fmt: skip
    new = RecordSet(name="www.clinic.example", type="CNAME", ttl=60, values=("new.herokudns.com",))
    with client, pytest.raises(ProviderError):
        CloudflareZone("clinic.example", client).swap("www.clinic.example", "CNAME", None, new)
    assert [one.method for one in server.requests][:3] == ["GET", "GET", "POST"]
    assert guard.sent == counted
