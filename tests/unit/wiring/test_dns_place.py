"""The key of the domain is needed only by those who edit the domain: a lost database must not wait for it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from rehearsal import Person
from uscdr.engine.wait import Stop
from uscdr.errors import BadInput
from uscdr.scenarios.adapters import DnsAccess, Request
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.config_targets import DnsTarget, HerokuTarget, TargetConfig
from uscdr.scenarios.loader import load
from uscdr.wiring.adapters import TargetAdapters
from uscdr.wiring.context import Process
from uscdr.wiring.target import Target

Adapter = Literal["manual", "rfc2136", "cloudflare"]
KEY = SecretStr("c2VjcmV0LXNlY3JldC1zZWNyZXQ=")


def opened(tmp_path: Path, adapter: Adapter, scenario: str, key: SecretStr | None, *, dry_run: bool) -> DnsAccess:
    dns = DnsTarget(adapter=adapter, zone="a.example", server="192.0.2.1", key_name="k", name_servers=("192.0.2.1:53",))
    target = TargetConfig(heroku=HerokuTarget(app="usc-pis"), dns=dns)
    config = load(packaged()).config
    place = Target("production", target, config, "digest", SecretStr("token"), "test", None, None, {}, key)
    this = Process(tmp_path, {}, Person(), lambda _: "", (), lambda _: None, Stop())
    with TargetAdapters(this.on(place, Request(scenario), "run", dry_run=dry_run), tmp_path) as adapters:
        found = adapters.dns
    assert found is not None
    return found


@pytest.mark.parametrize("adapter", ["rfc2136", "cloudflare"])
@pytest.mark.parametrize("scenario", ["db", "app", "media"])
def test_without_its_key_the_domain_is_only_looked_at(tmp_path: Path, adapter: Adapter, scenario: str) -> None:
    assert not opened(tmp_path, adapter, scenario, None, dry_run=False).zone.writable


@pytest.mark.parametrize(
    ("adapter", "variable"), [("rfc2136", "USCDR_DNS_KEY"), ("cloudflare", "USCDR_CLOUDFLARE_TOKEN")]
)
@pytest.mark.parametrize("scenario", ["infra", "dns"])
def test_who_edits_it_needs_the_key(tmp_path: Path, adapter: Adapter, variable: str, scenario: str) -> None:
    with pytest.raises(BadInput) as refused:
        opened(tmp_path, adapter, scenario, None, dry_run=False)
    assert variable in refused.value.next_action
    assert not opened(tmp_path, adapter, scenario, None, dry_run=True).zone.writable


def test_with_its_key_it_can_be_edited(tmp_path: Path) -> None:
    assert opened(tmp_path, "rfc2136", "infra", KEY, dry_run=False).zone.writable
