"""How the sandbox's domain is edited: a name that is none is said, and is not taken for a missing sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from uscdr.errors import BadInput
from uscdr.sandboxed import sandbox_place
from uscdr.scenarios.loader import load
from uscdr.targets import packaged

ACCOUNTS = [{"cloud": "usc-pis", "api_key": "1", "api_secret": "s"}]
HERE = "http://127.0.0.1:1"
FACTS: Mapping[str, Any] = {
    "source": {"git": "/nowhere", "ref": "main"},
    "identity": "4f2a9c",
    "manage": "python manage.py",
    "web_url": HERE,
    "ca_file": "/nowhere",
    "check_account": {"email": "a@example.com", "password": "p"},
    "heroku": {"app": "usc-pis", "token": "t", "api_url": HERE, "data_url": HERE, "status_url": HERE},
    "cloudinary": {"cloud": "usc-pis", "api_url": HERE, "delivery_url": HERE, "status_url": HERE,
        "accounts": ACCOUNTS},
    "dns": {
        "zone": "a.example", "hostname": "www.a.example", "server": "127.0.0.1", "port": 1, "key_name": "k",
        "key": "a2V5",
        "algorithm": "hmac-sha256", "name_servers": ["127.0.0.1:1"], "cloudflare": {"base_url": HERE, "token": "t"},
    },
}  # fmt: skip


@pytest.mark.parametrize("adapter", ["", "rfc2136", "cloudflare", "manual"])
def test_it_is_edited_as_the_environment_says(adapter: str) -> None:
    place = sandbox_place(load(packaged()), {"USCDR_SANDBOX_DNS": adapter}, FACTS)
    assert place.target.dns is not None
    assert place.target.dns.adapter == (adapter or "rfc2136")


def test_an_unknown_adapter_is_named() -> None:
    with pytest.raises(BadInput, match="bind") as refused:
        sandbox_place(load(packaged()), {"USCDR_SANDBOX_DNS": "bind"}, FACTS)
    assert "rfc2136, cloudflare, manual" in refused.value.next_action


def test_two_sandboxes_in_a_row_are_two_places_though_all_else_is_the_same() -> None:
    first, second = (sandbox_place(load(packaged()), {}, {**FACTS, "identity": one}) for one in ("4f2a9c", "51d0e7"))
    assert (first.target, first.name) == (second.target, second.name)
    assert first.key != second.key
    assert first.key.startswith(second.key.rpartition(" ")[0])
