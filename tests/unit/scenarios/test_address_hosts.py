"""An address of scenarios.yaml has a host that can be looked up, or is refused before anything is asked."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from uscdr.scenarios.config_targets import HerokuTarget


@pytest.mark.parametrize(
    "host", ["a..b", "-a", "a" * 64, "x." * 130 + "y", "xn--a", "xn--", "*", ",", ".", "a|b", "[v1.x]", "[::1", "%41"]
)
def test_a_host_that_no_resolver_takes_is_refused(host: str) -> None:
    with pytest.raises(ValidationError):
        HerokuTarget(app="usc-pis", api_url=f"https://{host}:9")


@pytest.mark.parametrize(
    "host", ["api.heroku.com", "api.heroku.com.", "127.0.0.1", "[::1]", "localhost", "a_b.example", "xn--mnchen-3ya.de"]
)
def test_other_hosts_are_taken(host: str) -> None:
    assert HerokuTarget(app="usc-pis", api_url=f"https://{host}:9").api_url == f"https://{host}:9"
