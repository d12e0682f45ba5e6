"""scenarios.yaml: whatever is wrong with it is said with file, line and column, and never crashes the program."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uscdr.errors import ConfigError, ExitCode
from uscdr.scenarios.config_file import packaged
from uscdr.scenarios.loader import load
from uscdr.scenarios.registry import STEPS

GOOD = packaged().read_text()
SMALL = """\
version: 1
objectives: {rpo: 4h, rto: 2h}
app: {name: usc-pis}
targets:
  production:
    heroku: {app: usc-pis}
scenarios:
  db:
    title: Database
    budget: {assess: 10m, recover: 60m}
    steps:
      - use: heroku.maintenance
        with: {enabled: true}
"""
SOUND = (
    SMALL[: SMALL.index("  db:")]
    + """\
  dns:
    title: Domain
    budget: {assess: 10m, recover: 60m}
    steps: [{use: dns.rollback}]
"""
)


def refusal(tmp_path: Path, text: str | bytes) -> ConfigError:
    path = tmp_path / "scenarios.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert refused.value.exit_code is ExitCode.BAD_INPUT
    return refused.value


def test_the_packaged_file_and_the_small_one_load(tmp_path: Path) -> None:
    config = load(packaged()).config
    assert {entry.use for scenario in config.scenarios.values() for entry in scenario.steps} <= STEPS.keys()
    (tmp_path / "s.yaml").write_text(SOUND)
    loaded = load(tmp_path / "s.yaml")
    assert loaded.config.objectives.rpo == 4 * 3600
    assert loaded.digest != load(packaged()).digest


def _hostname(names: str) -> Callable[[str], str]:
    listed = ", ".join(repr(name.strip()) for name in names.split(","))
    dns = f"\n    dns: {{adapter: manual, zone: c.d, hostnames: [{listed}]}}"
    return lambda text: text.replace("    heroku: {app: usc-pis}", "    heroku: {app: usc-pis}" + dns)


CASES: list[tuple[str, Callable[[str], str], str, list[str]]] = [
    (
        "unknown key",
        lambda s: s.replace("app: {name: usc-pis}", "app: {nam: usc-pis}"),
        "3:7",
        ["`nam`", "formation", "name"],
    ),
    ("unknown key on top", lambda s: s + "extra: 1\n", "14:1", ["`extra`", "scenarios", "targets", "version"]),
    (
        "unknown key deep",
        lambda s: s.replace("title: Database", "titel: x"),
        "9:5",
        ["`titel`", "budget", "follow_up", "steps"],
    ),
    ("wrong type", lambda s: s.replace("{app: usc-pis}", "[1]"), "6:5", ["dictionary"]),
    ("wrong version", lambda s: s.replace("version: 1", "version: 2"), "1:1", ["version", "1"]),
    ("version as text", lambda s: s.replace("version: 1", "version: one"), "1:1", ["version"]),
    (
        "missing field",
        lambda s: s.replace("objectives: {rpo: 4h, rto: 2h}", "objectives: {rpo: 4h}"),
        "2:1",
        ["objectives.rto", "missing"],
    ),
    ("bad duration", lambda s: s.replace("rto: 2h", "rto: 2"), "2:23", ["90s", "4h"]),
    ("negative duration", lambda s: s.replace("rto: 2h", "rto: -2h"), "2:23", ["90s"]),
    ("NaN duration", lambda s: s.replace("rto: 2h", "rto: .nan"), "2:23", ["90s"]),
    ("duplicate key", lambda s: s + "version: 1\n", "14:1", ["twice"]),
    ("bad indentation", lambda s: s.replace("    title: Database", "   title: Database"), "10:", []),
    ("tab", lambda s: s.replace("  production:", "\tproduction:"), "5:1", []),
    ("unclosed bracket", lambda s: s.replace("{app: usc-pis}", "{app: usc-pis"), "", []),
    ("not a mapping", lambda s: "- 1\n", "1:1", ["mapping"]),
    ("only text", lambda s: "hello\n", "1:1", ["mapping"]),
    ("empty", lambda s: "", "1:1", ["mapping"]),
    ("two documents", lambda s: s + "---\n" + s, "", []),
    (
        "unknown step",
        lambda s: s.replace("heroku.maintenance", "heroku.maintenence"),
        "12:9",
        ["heroku.maintenance", "backup.restore"],
    ),
    ("bad step parameter", lambda s: s.replace("enabled: true", "enabled: 1"), "13:16", ["enabled"]),
    ("text as a switch", lambda s: s.replace("enabled: true", "enabled: 'yes'"), "13:16", ["enabled"]),
    ("unknown step parameter", lambda s: s.replace("enabled: true", "enable: true"), "13:", ["enabled"]),
    (
        "missing step parameter",
        lambda s: s.replace("        with: {enabled: true}\n", ""),
        "12:",
        ["enabled", "missing"],
    ),
    ("parameters as a list", lambda s: s.replace("{enabled: true}", "[enabled]"), "13:9", ["with"]),
    ("phase without a budget", lambda s: s.replace(", recover: 60m", ""), "12:", ["recover", "assess"]),
    (
        "same id twice",
        lambda s: s + "      - {use: heroku.maintenance, with: {enabled: true}}\n",
        "14:",
        ["maintenance", "id"],
    ),
    ("no step at all", lambda s: s[: s.index("    steps:")] + "    steps: []\n", "11:5", ["steps"]),
    (
        "a scenario that no command runs",
        lambda s: s.replace("  db:\n", "  dq:\n"),
        "8:3",
        ["`dq` is not known here; allowed: db, app, media, infra, dns"],
    ),
    ("bytes for text", lambda s: s.replace("title: Database", "title: !!binary AAAA"), "9:12", ["binary"]),
    ("bytes in a list", lambda s: s + "config: {required: [!!binary AAAA]}\n", "14:21", ["binary"]),
    ("no scenario", lambda s: s[: s.index("scenarios:")] + "scenarios: {}\n", "7:1", ["scenarios"]),
    (
        "no target",
        lambda s: s.replace("targets:\n  production:\n    heroku: {app: usc-pis}\n", "targets: {}\n"),
        "4:1",
        ["targets"],
    ),
    ("unknown alias", lambda s: s.replace("{name: usc-pis}", "*nowhere"), "3:6", ["nowhere"]),
    ("a list within itself", lambda s: s + "contacts: &a [*a]\n", "14:", []),
    ("a mapping within itself", lambda s: s + "config: &a {required: *a}\n", "14:", []),
    ("an impossible date", lambda s: s.replace("name: usc-pis", "name: 2026-13-45"), "", []),
    ("a number without end", lambda s: s.replace("version: 1", "version: " + "1" * 5000), "", []),
    (
        "an infinite bound",
        lambda s: s + "invariants:\n  - {name: a, sql: SELECT 1, minimum: .inf}\n",
        "15:",
        ["finite"],
    ),
    (
        "a bound that is no number",
        lambda s: s + "invariants:\n  - {name: a, sql: SELECT 1, maximum: .nan}\n",
        "15:",
        ["finite"],
    ),
    ("an invariant that cannot fail", lambda s: s + "invariants:\n  - {name: a, sql: SELECT 1}\n", "15:5", ["equals"]),
    ("a check that writes", lambda s: s + "checks: {a: {kind: http, path: /, method: POST}}\n", "14:", ["POST"]),
    (
        "unknown kind of media",
        lambda s: s + "media: {references: [{column: a.b, resource_type: pdf}]}\n",
        "14:36",
        ["`media.references.0.resource_type` should be 'image'"],
    ),
    (
        "text for a list",
        lambda s: s + "recovery: {mail_variables: MAIL}\n",
        "14:12",
        ["`recovery.mail_variables`", "a list"],
    ),
    (
        "a field's old name",
        lambda s: s + "recovery: {key: SECRET}\n",
        "14:12",
        ["`key` is now called `encryption_key_variable`"],
    ),
    (
        "a step's old name",
        lambda s: s.replace("heroku.maintenance", "heroku.drain", 1),
        "",
        ["the step `heroku.drain` is now called `heroku.stop`"],
    ),
    (
        "a private key as recipient",
        lambda s: s + "kit: {recipients: [AGE-SECRET-KEY-1QQQ]}\n",
        "14:7",
        ["a recipient is a public key"],
    ),
    (
        "a DNS key in the file",
        lambda s: s.replace(
            "    heroku: {app: usc-pis}", "    heroku: {app: usc-pis}\n    dns: {adapter: manual, zone: a.b, key: x}"
        ),
        "7:39",
        ["`key`", "key_name"],
    ),
    ("an escaped NUL", lambda s: s + 'kit: {to: "a\\0b"}\n', "14:11", ["control character"]),
    ("an escaped NUL in a list", lambda s: s + 'recovery: {addons: [a, "b\\0"]}\n', "14:24", ["control character"]),
    (
        "an escaped NUL that is merged in",
        lambda s: s + 'x: &x {to: "a\\0b"}\nkit: {<<: *x}\n',
        "14:12",
        ["control character"],
    ),
    ("an escaped bell in a key", lambda s: s + '"\\a": 1\n', "14:", ["control character"]),
    ("half a character", lambda s: s + 'kit: {to: "\\ud800"}\n', "14:", []),
    *(
        (f"a hostname {name}", _hostname(name), "7:", words)
        for name, words in (
            ("a b.c.d", ["not a host name"]),
            ("ü.c.d", ["not a host name", "xn--"]),
            ("-a.c.d", ["not a host name"]),
            ("a..c.d", ["not a host name"]),
            ("x.*.c.d", ["not a host name"]),
            (f"{'a' * 64}.c.d", ["not a host name"]),
            (f"{'a.' * 130}c.d", ["not a host name"]),
            ("www.c.e", ["not in the zone"]),
            ("www.c.d, WWW.c.d.", ["twice"]),
        )
    ),
    ("hour 24", lambda s: s + "recovery: {backup_hour: 24}\n", "14:12", ["23"]),
    ("NUL", lambda s: s.replace("usc-pis}", "usc\x00pis}", 1), "3:16", []),
    ("a control character", lambda s: s.replace("usc-pis}", "usc\x1bpis}", 1), "3:16", []),
]


@pytest.mark.parametrize(("spoil", "place", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_mistake_is_named_with_its_place(
    tmp_path: Path, spoil: Callable[[str], str], place: str, words: list[str]
) -> None:
    assert spoil(SMALL) != SMALL
    message = refusal(tmp_path, spoil(SMALL)).message
    assert re.search(r"scenarios\.yaml:\d+:\d+: ", message), message
    assert f"scenarios.yaml:{place}" in message, message
    assert [word for word in words if word not in message] == [], message


def test_bytes_that_are_no_text_have_a_place_too(tmp_path: Path) -> None:
    message = refusal(tmp_path, SMALL.encode().replace(b"Database", b"Data\xffbase")).message
    assert "scenarios.yaml:9:16: " in message


def test_a_bomb_of_aliases_is_refused_quickly(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "aliases" in refusal(tmp_path, SMALL + "\n".join(lines) + "\n").message


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path, SMALL + "contacts: " + "[" * 1_000)
    refusal(tmp_path, SMALL + "contacts: " + "[" * 60 + "]" * 60 + "\n")


def test_huge_and_endless_files_are_refused(tmp_path: Path) -> None:
    assert "larger" in refusal(tmp_path, SMALL + "#" * 500_000).message
    with pytest.raises(ConfigError, match="it is a device"):
        load(Path("/dev/zero"))


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.yaml", tmp_path / "nothing.yaml" / "below"):
        with pytest.raises(ConfigError, match="cannot be read"):
            load(path)


@pytest.mark.parametrize("name", ["c.d", "www.c.d", "*.c.d", "_acme.www.c.d", "xn--bcher-kva.c.d", "WWW.c.d."])
def test_these_are_hostnames(tmp_path: Path, name: str) -> None:
    (tmp_path / "s.yaml").write_text(_hostname(name)(SOUND))
    dns = load(tmp_path / "s.yaml").config.targets["production"].dns
    assert dns is not None
    assert dns.hostnames == (name.lower().rstrip("."),)


def test_anchors_and_merges_may_be_used(tmp_path: Path) -> None:
    text = SOUND.replace("rpo: 4h, rto: 2h", "rpo: &long 4h, rto: *long")
    (tmp_path / "s.yaml").write_text(text)
    config = load(tmp_path / "s.yaml").config
    assert config.objectives.rto == 4 * 3600


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """The packaged file, or the small one, with a few bytes cut out and others put in."""
    data = draw(st.sampled_from([SMALL.encode(), SMALL.encode(), GOOD.encode()[:1500]]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 6))
        junk = draw(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from(
                    [
                        b"&a ",
                        b"*a",
                        b"<<: ",
                        b"? ",
                        b"- ",
                        b": ",
                        b"!!",
                        b"!!set ",
                        b"!!omap ",
                        b"!!binary ",
                        b"!!timestamp ",
                        b"!!float ",
                        b"!!int ",
                        b"!!python/object:os.system ",
                        b"%YAML 1.1\n",
                        b"---\n",
                        b"...\n",
                        b"'",
                        b'"',
                        b"|\n",
                        b">\n",
                        b"{",
                        b"}",
                        b"[",
                        b"]",
                        b"#",
                        b"\t",
                        b"0x",
                        b"0o9",
                        b"1e999",
                        b"2026-99-99",
                        b".inf",
                        b"~",
                        b"@",
                        b"`",
                        b"\xe2\x80\xae",
                        b"\xef\xbb\xbf",
                        b"\xc2\x85",
                        b"!<tag:yaml.org,2002:int> ",
                        b"60:60:60",
                        b"=",
                    ]
                ),
            )
        )
        data = data[:start] + junk + data[end:]
    return data


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=spoiled())
def test_whatever_stands_there_is_a_configuration_or_a_refusal(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(data)
    message = f"{path}:1:1: fine"
    try:
        load(path)
    except ConfigError as error:
        message = error.message
    assert str(path) in message
    first, *more = message.split("\n")
    assert first.startswith(str(path))
    assert all(re.match(rf"{re.escape(str(path))}:\d+:\d+: |and \d+ more$", line) for line in more), message
