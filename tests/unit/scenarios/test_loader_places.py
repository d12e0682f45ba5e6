"""Names and addresses of scenarios.yaml that can be none: said when it is read, with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.errors import ConfigError
from uscdr.scenarios.loader import load

TEXT = """\
version: 1
objectives: {rpo: 4h, rto: 2h}
app: {name: usc-pis}
targets:
  production:
    heroku: {app: usc-pis}
    web: https://usc-pis.example
recovery: {app: usc-pis-recovery, addons: [heroku-postgresql:essential-0]}
scenarios:
  dns:
    title: Domain
    budget: {assess: 10m, recover: 60m}
    steps: [{use: dns.rollback}]
"""


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("{app: usc-pis}", '{app: "../account"}', "6:14", "not an application name"),
        ("{app: usc-pis}", "{app: Usc-Pis}", "6:14", "not an application name"),
        ("{app: usc-pis}", "{app: usc-pis, status_url: '::::'}", "6:28", "not a web address"),
        ("{app: usc-pis}", "{app: usc-pis, api_url: 'ftp://a.example'}", "6:28", "not a web address"),
        ("{app: usc-pis}", "{app: usc-pis, api_url: 'https://a.example:99999'}", "6:28", "range"),
        ("{app: usc-pis}", "{app: usc-pis, data_url: 'https://'}", "6:28", "not a web address"),
        ("https://usc-pis.example", "usc-pis.example", "7:5", "https://"),
        ("https://usc-pis.example", "'https://a b'", "7:5", "not a web address"),
        ("app: usc-pis-recovery", "app: A b", "8:12", "not an application name"),
        ("heroku-postgresql:essential-0", "'::'", "8:44", "service:plan"),
    ],
)
def test_it_is_refused(tmp_path: Path, old: str, new: str, place: str, words: str) -> None:
    path = tmp_path / "scenarios.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert f"scenarios.yaml:{place}: " in refused.value.message
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{app: usc-pis}", "{app: 01234567-89ab-cdef-0123-456789abcdef}"),
        ("{app: usc-pis}", "{app: usc-pis, api_url: 'http://127.0.0.1:8080', data_url: 'https://[::1]:1'}"),
        ("heroku-postgresql:essential-0", "heroku-redis"),
    ],
)
def test_it_may_stand_there(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "scenarios.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    load(path)
