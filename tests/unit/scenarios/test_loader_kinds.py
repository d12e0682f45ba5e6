"""Entries of several kinds in one section: errors name the field as the file has it, and the kinds that there are."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError

from uscdr.models.base import Fact
from uscdr.scenarios import config_errors
from uscdr.scenarios.config_channels import ChannelSettings


class Communication(Fact):
    """A section with channels by name."""

    channels: dict[str, ChannelSettings] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("entry", "where", "words"),
    [
        ({"audience": "team"}, ("channels", "one"), "`channels.one.kind` is missing"),
        (
            {"kind": "fax"},
            ("channels", "one"),
            "`channels.one.kind` should be 'smtp', 'webhook', 'apprise', 'status_file', 'status_webhook'",
        ),
        (
            {"kind": "apprise", "audience": "nobody", "url_from": "USCDR_NOTICE_URLS"},
            ("channels", "one", "audience", 0),
            "`channels.one.audience.0` should be 'team', 'stakeholders' or 'users'",
        ),
        (
            {"kind": "apprise", "audience": "team", "url_from": "USCDR_NOTICE_URLS", "url": "https://planted"},
            ("channels", "one", "url"),
            "`url` is not known here; allowed: audience, kind, url_from",
        ),
        ({"kind": "status_file", "audience": "team"}, ("channels", "one", "path"), "`channels.one.path` is missing"),
    ],
)
def test_an_error_is_where_the_file_has_it(entry: dict[str, Any], where: tuple[str | int, ...], words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Communication.model_validate({"channels": {"one": entry}})
    found = config_errors._Invalid((), raised.value.errors(include_url=False)[0], Communication)
    assert found.location == where
    assert str(found) == words
