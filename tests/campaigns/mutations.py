"""Wrong copies of the packaged scenarios.yaml, by hand and by a seeded hand."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_FIXED = frozenset(
    [
        "version",
        "objectives",
        "rpo",
        "rto",
        "app",
        "manage",
        "expected_tables",
        "volatile_tables",
        "freshness",
        "dangerous_migrations",
        "targets",
        "contacts",
        "config",
        "required",
        "escrow",
        "derived",
        "invariants",
        "checks",
        "checklists",
        "after_recovery",
        "scenarios",
        "title",
        "budget",
        "steps",
        "follow_up",
        "formation",
        "heroku",
        "cloudinary",
        "dns",
        "media",
        "prefix",
        "tag",
        "references",
        "recovery",
        "buildpacks",
        "addons",
        "mail_variables",
        "address_variables",
        "allowed_hosts_variable",
        "encryption_key_variable",
        "singletons",
        "canaries",
    ]
)
"""Keys of the format itself, not names that a person chooses."""
PRIVATE = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"
"""The form of a private key; it must not be repeated in the refusal."""
_TEXT = (Path(__file__).parents[2] / "scenarios.yaml").read_text()


def for_target(heroku: Mapping[str, str], app: str, ca_file: str) -> str:
    """The packaged configuration with two targets on the sandbox: `real` its app, `elsewhere` the app given."""
    address = f"api_url: '{heroku['api_url']}', data_url: '{heroku['data_url']}', status_url: '{heroku['status_url']}'"
    target = "  {name}:\n    heroku: {{app: {app}, {address}}}\n    ca_file: {ca}\n"
    both = "".join(
        target.format(name=name, app=one, address=address, ca=ca_file)
        for name, one in (("real", "usc-pis"), ("elsewhere", app))
    )
    return _TEXT.replace("targets:\n", "targets:\n" + both, 1)


def whole_target(contract: Mapping[str, Any]) -> str:
    """The packaged configuration with a target `real` that has everything: platform, media, domain."""
    heroku, media, dns = contract["heroku"], contract["cloudinary"], contract["dns"]
    addresses = ("api_url", "data_url", "status_url")
    target = {
        "heroku": {"app": heroku["app"], **{name: heroku[name] for name in addresses}},
        "cloudinary": {name: media[name] for name in ("cloud", "api_url", "delivery_url", "status_url")},
        "dns": {
            "adapter": "rfc2136", "zone": dns["zone"], "hostnames": [dns["hostname"]], "server": dns["server"],
            "port": dns["port"], "key_name": dns["key_name"], "algorithm": dns["algorithm"],
            "name_servers": list(dns["name_servers"]),
        },
        "web": contract["web_url"],
        "ca_file": contract["ca_file"],
    }  # fmt: skip
    return _TEXT.replace("targets:\n", f"targets:\n  real: {json.dumps(target)}\n", 1)


def _swap(old: str, new: str) -> bytes:
    if old not in _TEXT:
        raise RuntimeError(f"{old} is not in scenarios.yaml any more")
    return _TEXT.replace(old, new, 1).encode()


def by_hand() -> list[tuple[str, bytes]]:
    """Mistakes that people make, and attacks."""
    return [
        ("unknown key", _swap("version: 1", "version: 1\nverzion: 2")),
        ("unknown nested key", _swap("  rto: 2h", "  rto: 2h\n  rtoo: 2h")),
        ("wrong type", _swap("rpo: 4h", "rpo: [4h]")),
        ("wrong unit", _swap("rpo: 4h", "rpo: 4 fortnights")),
        ("negative", _swap("rpo: 4h", "rpo: -4h")),
        ("not a number", _swap("version: 1", "version: .nan")),
        ("another version", _swap("version: 1", "version: 99")),
        ("duplicate key", _swap("version: 1", "version: 1\nversion: 1")),
        ("duplicate scenario", _swap("scenarios:\n  db:", "scenarios:\n  db: {}\n  db:")),
        ("bad indentation", _swap("  rto: 2h", "   rto: 2h")),
        ("a tab", _swap("  rto: 2h", "\trto: 2h")),
        ("unknown step", _swap("use: backup.restore", "use: backup.restor")),
        ("unknown parameter", _swap("with: {enabled: true}", "with: {enabled: true, force: true}")),
        ("parameter of a wrong type", _swap("with: {enabled: true}", "with: {enabled: 'yes please'}")),
        ("object constructor", _swap("version: 1", "version: !!python/object/apply:os.system ['touch /tmp/pwned']")),
        ("unknown alias", _swap("version: 1", "version: *nowhere")),
        ("unclosed quote", _swap("name: usc-pis", 'name: "usc-pis')),
        ("unclosed bracket", _swap("{web: 1, worker: 1, beat: 1}", "{web: 1, worker: 1")),
        ("empty", b""),
        ("a list", b"- 1\n- 2\n"),
        ("a scalar", b"hello\n"),
        ("two documents", _TEXT.encode() + b"\n---\nversion: 1\n"),
        ("not UTF-8", b"\xff\xfe\x00version"),
        ("NUL", _TEXT.encode() + b"\x00"),
        ("control character", _swap("name: usc-pis", "name: usc\x07pis")),
        ("billion laughs", _laughs()),
        ("deep nesting", b"version: " + b"[" * 5000),
        ("merge key to nothing", _swap("version: 1", "version: 1\n<<: 3")),
        *_of_places(),
        *_of_steps(),
    ]


def _of_places() -> list[tuple[str, bytes]]:
    """Mistakes in what says where media, domain, kit and the new place are."""
    dns, canary = "dns: {adapter: manual, zone: usc-pis.example}", "encrypted: first_name_enc, plain: first_name"
    column = "{column: file_uploads_uploadedfile.file}"
    return [
        ("unknown DNS adapter", _swap(dns, "dns: {adapter: bind, zone: usc-pis.example}")),
        ("rfc2136 without a server", _swap(dns, "dns: {adapter: rfc2136, zone: usc-pis.example}")),
        ("hostname of another zone", _swap(dns, dns[:-1] + ", hostnames: [www.other.example]}")),
        ("hostname with an empty label", _swap(dns, dns[:-1] + ", hostnames: [www..usc-pis.example]}")),
        ("DNS port 0", _swap(dns, dns[:-1] + ", port: 0}")),
        ("a key in the file", _swap(dns, dns[:-1] + ", key: c2VjcmV0LXNlY3JldA==}")),
        ("a secret of the media service", _swap("{cloud: usc-pis}", "{cloud: usc-pis, api_secret: not-here}")),
        ("media tag as a list", _swap("tag: usc-pis", "tag: [usc-pis]")),
        ("a column without a table", _swap(column, "{column: file}")),
        ("a column with SQL in it", _swap(column, '{column: "a.b; DROP TABLE x"}')),
        ("unknown kind of media", _swap(column, column[:-1] + ", resource_type: pdf}")),
        ("mail variables as a text", _swap("mail_variables: [GMAIL_CLIENT_ID, ", "mail_variables: GMAIL_CLIENT_ID #")),
        ("canary without its plain column", _swap(canary, "encrypted: first_name_enc")),
        ("backup hour 25", _swap("  allowed_hosts_variable: ALLOWED_HOSTS", "  backup_hour: 25")),
        ("recipients as a text", _swap("version: 1", "version: 1\nkit: {recipients: age1x}")),
        ("a private key as recipient", _swap("version: 1", f"version: 1\nkit: {{recipients: [{PRIVATE}]}}")),
        ("kit.to as a list", _swap("version: 1", "version: 1\nkit: {to: [a]}")),
    ]


def _of_steps() -> list[tuple[str, bytes]]:
    """Mistakes in the steps of the scenarios."""
    manual = '      - {use: manual, with: {instruction: "heroku run python manage.py %s"}}\n      - {use: media.look}'
    step = "      - {use: media.look}"
    return [
        ("a forbidden command", _swap(step, manual % "restore_campaign_images")),
        ("another forbidden command", _swap(step, manual % "deleteorphanedmedia --noinput")),
        ("an instruction without words", _swap(step, "      - {use: manual}")),
        ("an add-on without a name", _swap("with: {service: heroku-redis}", "with: {}")),
        ("a part that there is not", _swap("with: {part: beat}", "with: {part: all}")),
        ("the same step twice", _swap(step, f"{step}\n{step}")),
    ]


def _laughs() -> bytes:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, 10)]
    return "\n".join(lines).encode()


def at_random(count: int, chance: random.Random) -> list[tuple[str, bytes]]:
    """Mutations that no valid file can survive, each at a place that is drawn."""
    kinds: tuple[Callable[[list[str], random.Random], list[str]], ...] = (_misspelt, _typed, _doubled, _tabbed, _stray)
    made = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        lines = kind(_TEXT.splitlines(), chance)
        made.append((f"{kind.__name__.strip('_')} {number}", "\n".join(lines).encode() + b"\n"))
    return made


def _keys(lines: list[str]) -> list[int]:
    """Lines with a key of the fixed vocabulary: not names that a person chooses."""
    found = [n for n, line in enumerate(lines) if line.split(":")[0].strip().lstrip("- ") in _FIXED]
    return [n for n in found if ":" in lines[n]]


def _misspelt(lines: list[str], chance: random.Random) -> list[str]:
    place = chance.choice(_keys(lines))
    key, colon, rest = lines[place].partition(":")
    at = chance.randrange(len(key.strip())) + len(key) - len(key.strip())
    lines[place] = key[:at] + chance.choice("qxz") + key[at:] + colon + rest
    return lines


def _typed(lines: list[str], chance: random.Random) -> list[str]:
    """A value of a kind that this key never has; what was below it goes with it."""
    place = chance.choice(_keys(lines))
    indent = len(lines[place]) - len(lines[place].lstrip())
    key = lines[place].partition(":")[0]
    lines[place] = f"{key}: {chance.choice(('{zz: [1, {b: null}]}', '!!binary AAAA', '[[[]]]', '{1: {2: 3}}'))}"
    end = place + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    return [*lines[: place + 1], *lines[end:]]


def _doubled(lines: list[str], chance: random.Random) -> list[str]:
    """The same key again, with a value that is right: an editor's slip that silently changes a plan."""
    places = [n for n in _keys(lines) if lines[n].partition(":")[2].strip() and not lines[n].lstrip().startswith("-")]
    place = chance.choice(places)
    return [*lines[: place + 1], lines[place], *lines[place + 1 :]]


def _tabbed(lines: list[str], chance: random.Random) -> list[str]:
    places = [n for n in _keys(lines) if lines[n].startswith(" ")]
    place = chance.choice(places)
    lines[place] = "\t" + lines[place].lstrip()
    return lines


def _stray(lines: list[str], chance: random.Random) -> list[str]:
    """A line of rubbish between others."""
    rubbish = chance.choice(("]]", "}", "@@@: :", "%TAG", "`x`: 1", "key without colon", "- stray"))
    place = chance.choice(_keys(lines))
    return [*lines[:place], rubbish, *lines[place:]]
