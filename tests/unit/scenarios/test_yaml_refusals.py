"""What the YAML of a file may not hold: said in plain words with its place, by either parser."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from uscdr.errors import ConfigError
from uscdr.scenarios import yaml_tree

MISSING, HERE = "mapping that begins with `version: 1`", "does not fit the lines above; check the indentation"
TWICE, WITHIN, DEEP, ANOTHER = "is used twice", "`*a` is inside `&a`", "nested too deeply", "a second document"
NO_CHARACTER, HIDDEN, CONTROL = "character is not allowed in YAML", "editors do not show", "control character"
MERGED, KEY, PERCENT = "a list of mappings, to merge", "a key must be text", "must not begin with `%`"
CASES: tuple[tuple[str | bytes, str, str], ...] = (
    ("", "1:1", MISSING), ("# nothing", "1:1", MISSING), ("---\n", "1:1", MISSING), ("~", "1:1", MISSING),
    ("- 1", "1:1", MISSING), ("text", "1:1", MISSING), ("a:1", "1:1", MISSING),
    ("a: [1\n", "2:1", "the list in brackets that begins on line 1 is not closed here"),
    ("a: {b: 1\nc: 2}\nd: {", "", "the mapping in braces that begins on line"),
    ("a: 'b\nc: d\n", "1:4", "the quoted text that begins here is not closed"),
    ('a: "b\n---\nc"', "1:4", "the quoted text that begins here is not closed"),
    ("a: b: c", "1:5", "a `:` is not allowed here"), ("a: - b", "1:4", "write each item of a list on its own line"),
    ("a: ? b", "1:4", "a `? ` is not allowed here"), ("a: b\nc", "2:1", "this key has no `:`"),
    ("a:\n\tb: 1", "2:1", "a tab is not allowed here"), ("a:\n   b: 1\n  c: 2", "3:3", HERE),
    ("  a: 1\nb: 2", "2:1", HERE), ('a: "b"c', "1:7", HERE), ("a: [1]]", "1:7", ""),
    ("a: ]", "1:4", "a value is missing"),
    ("a: @b", "1:4", "must not begin with “@”"), ("a: `b`", "1:4", "must not begin with “`”"), ("a: %b", "1:4", "“%”"),
    ("%", "1:2", PERCENT), ("a: |0\n b", "1:5", "1 to 9"), ("a: | b", "1:6", "the text begins on the next line"),
    ("a: |x\n b", "1:5", "the text begins on the next line"), ('a: "\\q"', "", r"write a backslash as \\"),
    ("a: 1\n---\nb: 2", "2:1", ANOTHER), ("a: 1\n...\n---\nb: 2", "3:1", ANOTHER),
    ("%YAML 1.1\n---\na: yes", "1:1", "always read as YAML 1.2"), ("%YAML 2.0\n---\na: 1", "1:1", "version of YAML"),
    ("a: 1\na: 2", "2:1", TWICE), ('a: 1\n"a": 2', "2:1", TWICE), ("1: a\n'1': b", "2:1", TWICE),
    ("1: a\n0x1: b", "2:1", TWICE), ("~: 1\nnull: 2", "2:1", TWICE), ("🦉: {x: 1, x: 2}", "1:11", TWICE),
    ("a: [{b: 1, b: 2}]", "1:12", TWICE), ("\ufeffa: {b: 1, b: 2}", "1:11", TWICE),
    ("x: &x {a: 1}\ny: {<<: *x, <<: *x}", "2:13", TWICE),
    ("a: *b", "1:4", "no `&b` comes before it"), ("b: *a\na: &a 1", "1:4", "no `&a` comes before it"),
    ("a: &a [*a]", "1:8", WITHIN), ("a: &a {b: *a}", "1:11", WITHIN), ("a: &a {<<: *a}", "1:12", WITHIN),
    ("a: " + "[" * 40 + "]" * 40, "1:43", DEEP), ("a: " + "[" * 20_000, "1:", DEEP), ("a: " + "{b: " * 50, "1:", DEEP),
    ("".join(f"k{n}: {n}\n" for n in range(10_000)), "10000:8", "more than 20,000 values"),
    ("{<<: 1}", "1:6", MERGED), ("{<<: [1]}", "1:7", MERGED), ("{<<: [[{}]]}", "1:7", MERGED),
    ("? [a, b]\n: 1", "1:3", KEY), ("{{a: 1}: 1}", "1:2", KEY), ("a: &a [b]\n*a : 1", "2:1", KEY),
    ("a: \x00", "1:4", NO_CHARACTER), ("a: 1 # \x07", "1:8", NO_CHARACTER), ("a: \x80", "1:4", NO_CHARACTER),
    ("a: \x7f", "1:4", NO_CHARACTER), ("a: \uffff", "1:4", NO_CHARACTER), ("a: 1\x0c", "1:5", NO_CHARACTER),
    ("# seen\u2028b: unseen\na: 1", "1:7", HIDDEN), ("a: x\x85b: 1", "1:5", HIDDEN), ("a: x\u2029b", "1:5", HIDDEN),
    ('a: "\\0"', "1:4", CONTROL), ('"\\a": 1', "1:1", CONTROL), ('x: &x {a: "\\r"}\ny: {<<: *x}', "1:11", CONTROL),
    (b"a: \xe9", "1:4", "not UTF-8"), ("a: 1".encode("utf-16"), "1:1", "not UTF-8"),
    (b"a: \xed\xa0\x80", "1:4", "UTF-8"),
    ("a: !!binary AAAA", "1:4", "binary data"), ("!!binary AAAA: 1", "1:1", "binary data"),
    ("!!set {a}", "1:1", "tags"),
)  # fmt: skip


@pytest.fixture(params=["of C", "of Python"], autouse=True)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "of Python":
        monkeypatch.setattr(yaml_tree, "PARSER", yaml.BaseLoader)


def read(text: str | bytes) -> yaml_tree.Placed:
    return yaml_tree.parse(Path("s.yaml"), text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize(("text", "place", "words"), CASES, ids=[repr(one[0])[:40] for one in CASES])
def test_it_is_refused_with_its_place(text: str | bytes, place: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(text)
    message = refused.value.message
    assert message.startswith(f"s.yaml:{place}")
    assert words in message
    assert "<" not in message.replace("<<", ""), "a parser's own words"


def test_merged_keys_stand_behind_a_mappings_own_and_keep_their_places() -> None:
    found = read("x: &x {a: 1, b: 2}\ny: &y {<<: *x, c: 3}\nz:\n  b: 4\n  <<: [*y, {a: 5, d: 6}]\n")
    assert list(found.value["z"].items()) == [("b", 4), ("c", 3), ("a", 1), ("d", 6)]
    places = {key: found.position(("z", key)) for key in "abcd"}
    assert places == {"a": (1, 8), "b": (4, 3), "c": (2, 16), "d": (5, 19)}


def test_places_are_those_of_keys_and_items() -> None:
    found = read("a:\n  - b: 1\n  - [x, y]\n1: {c: &c {d: 1}}\ne: *c\n")
    ways: tuple[tuple[str | int, ...], ...] = (
        ("a",), ("a", 0), ("a", 0, "b"), ("a", 1, 1), ("a", 7), ("1", "c"), ("e", "d"), ("none", "c"),
    )  # fmt: skip
    assert [found.position(way) for way in ways] == [
        (1, 1), (2, 5), (2, 5), (3, 9), (1, 1), (4, 5), (4, 12), (1, 1),
    ]  # fmt: skip


def test_line_breaks_of_every_system_are_read(capfd: pytest.CaptureFixture[str]) -> None:
    for text in ("a: 1\r\nb: &n 2\r\nc: &n 3\r\n", "a: 1\rb: 2\rc: 3\r", "\ufeffa: 1\nb: 2\nc: 3\n...\n# end\n"):
        assert read(text).value == {"a": 1, "b": 2, "c": 3}
    assert capfd.readouterr() == ("", "")


def test_what_is_too_much_is_refused_before_it_is_made() -> None:
    before = sys.getrecursionlimit()
    bomb = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 99))
    for text in (bomb, bomb.replace("[*", "{<<: [*").replace("]\na", "]}\na"), "a: !" + "x" * 390_000 + " 1"):
        with pytest.raises(ConfigError):
            read(text)
    assert sys.getrecursionlimit() == before
