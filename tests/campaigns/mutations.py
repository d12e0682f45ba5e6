"""Wrong copies of the packaged scenarios.yaml, by hand and by a seeded hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path

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
        "scenarios",
        "title",
        "budget",
        "steps",
        "follow_up",
        "formation",
        "heroku",
        "cloudinary",
        "dns",
    ]
)
"""Keys of the format itself, not names that a person chooses."""
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
