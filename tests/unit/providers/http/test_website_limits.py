"""What the application limits: 429 is no answer, whatever was asked; what it counts is sent once."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
import respx
from pydantic import SecretStr

from uscdr.errors import AnswerLost, ProviderError, RateLimited
from uscdr.models.probes import Sending
from uscdr.providers.probes.website import LOGIN, ApplicationWebsite

ADDRESS = "https://usc-pis.example"
TOKEN = SecretStr("token-token")
Ask = Callable[[ApplicationWebsite], object]


def site(*, read_only: bool = False) -> ApplicationWebsite:
    return ApplicationWebsite(ADDRESS, read_only=read_only, empty_posts=frozenset({"/form/"}))


ASKED: dict[str, Ask] = {
    "a page": lambda website: website.ask("GET", "/form/"),
    "a form": lambda website: website.ask("POST", "/form/", json_body={}, once=True),
    "a login": lambda website: website.sign_in("check@usc-pis.example", SecretStr("a password")),
    "an image": lambda website: website.fetch("/media/image.png"),
    "a write": lambda website: website.send(Sending(method="POST", path="/form/", json_body={}), TOKEN),
}


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize(
    ("header", "seconds"), [({}, None), ({"Retry-After": "90"}, 90), ({"Retry-After": "soon"}, None)]
)
def test_429_is_no_answer_and_is_not_asked_again(what: str, header: dict[str, str], seconds: float | None) -> None:
    with respx.mock(base_url=ADDRESS) as wire:
        route = wire.route().respond(429, headers=header, json={"detail": "Juan Dela Cruz"})
        with pytest.raises(RateLimited) as raised:
            ASKED[what](site())
    assert (route.call_count, raised.value.retry_after, raised.value.status) == (1, seconds, 429)
    assert "429" in raised.value.message
    assert "Juan" not in raised.value.message


@pytest.mark.parametrize("what", ["a form", "a login"])
@pytest.mark.parametrize("status", [502, 503, 504])
def test_what_is_counted_is_sent_once_whatever_the_gateway_says(what: str, status: int) -> None:
    with respx.mock(base_url=ADDRESS) as wire:
        route = wire.route().respond(status)
        if what == "a form":
            assert site().ask("POST", "/form/", json_body={}, once=True).status == status
        else:
            with pytest.raises(ProviderError) as raised:
                ASKED[what](site())
            assert raised.value.status == status
    assert route.call_count == 1


@pytest.mark.parametrize("what", ["a form", "a login"])
def test_one_whose_answer_was_lost_is_not_sent_again(what: str) -> None:
    with respx.mock(base_url=ADDRESS) as wire:
        route = wire.post(path__in=["/form/", LOGIN]).mock(side_effect=httpx.ReadTimeout("late"))
        with pytest.raises(AnswerLost):
            ASKED[what](site())
    assert route.call_count == 1
