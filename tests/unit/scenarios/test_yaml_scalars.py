"""Which scalars of YAML are what: of a few hundred, and the same by either parser."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import yaml

from uscdr.errors import ConfigError
from uscdr.scenarios import yaml_tree

AS_THEY_STAND = """
    tRUE yes Yes YES no No NO on On ON off Off OFF y Y n N t f nULL ~~ nil None none NONE 0o8 0O7 0o 0XFF 0xfg 0x 0b2
    0B1 0b _1 _ __ + -- ++ 1,000 1'000 1e 1e+ e3 .5e3 . .. ... .1. 1.2.3 .iNF inf Inf INF Infinity -inf .Nan +.nan
    -.nan nan NaN NAN 1:30 01:30 1:30:00 190:20:30 1:60 1:30.5 -1:30 12:30:45.5 23:59 08:00 0:0 1:2:3:4 :1 a:1
    2026-01-01 2026-1-1 2024-02-29 9999-12-31 26-01-01 2026-01 2026-001 2026/01/01 2026-01-01T10:00:00
    2026-01-01t10:00:00z 2026-01-01T10:00:00+08:00 2026-01-01T10:00:00+08:30 2026-01-01T10:00 2026-01-01T10
    2026-01-01T10:00:00+0800 9999-12-31T23:59:59-08:00 0001-01-01T00:00:00+23:59 = == => << <<< < a b hello usc-pis
    v1 v1.2 1a a1 12ab 4h 90s 10m 7d 1.5h 0x4h 3.5h 1h30m 100% 50% $HOME ${X} /a/b ./a ../a ~/a ~user a@b a:b a/b
    https://x.y/z s3://b/k b001 1.2.3.4 127.0.0.1:80 ::1 fe80::1 age1qqq ssh-ed25519 heroku-postgresql:essential-0
    heroku/nodejs Asia/Manila public.users app.0001_x app.0001_* a.b.c 1-2 1/2 12e 0x1.8p3 1j 1e5x 1.5.e3 1e1_0 1e_1
    +-1 -+1 1+1 1- 0_x1 -.5e1 +.5e1 .5e1 .e1 -. +. .- -0o8 true1 truefalse nullx Nulls yesno onn TRUe falsE trUe
    False_ ~null é ü 日本 １ ² ½ ٣ -١ ١:٣٠ 1٣ 1.٣ ２０２６-０１-０１ 0x١ a#b ?a -a :a a'b a"b a,b a[b a]b a{b a}b a\\b
"""  # noqa: RUF001 - other digits are no digits
"""Text, though some of them were something else in YAML 1.1."""
OTHERS: tuple[tuple[str, Any], ...] = (
    ("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False),
    ("null", None), ("Null", None), ("NULL", None), ("~", None), ("0", 0), ("1", 1), ("-1", -1), ("+1", 1),
    ("00", 0), ("01", 1), ("010", 10), ("007", 7), ("08", 8), ("09", 9), ("0o7", 7), ("0o17", 15), ("-0o7", -7),
    ("+0o7", 7), ("0o_7", 7), ("0x0", 0), ("0xff", 255), ("0xFF", 255), ("-0x1f", -31), ("+0x1f", 31), ("0b0", 0),
    ("0b101", 5), ("-0b1", -1), ("0b_1", 1), ("0x_f", 15), ("1_000", 1000), ("1_0_0", 100), ("1_", 1), ("1__0", 10),
    ("-_1", -1), ("1e3", 1000.0), ("1E3", 1000.0), ("1e+3", 1000.0), ("1e-3", 0.001), ("1.e3", 1000.0),
    ("1.5e3", 1500.0), ("1.5E+3", 1500.0), ("-1e3", -1000.0), ("+1e3", 1000.0), ("1_0e1", 100.0), ("0e0", 0.0),
    ("00e1", 0.0), ("1e400", inf), ("-1e400", -inf), ("1e-400", 0.0), ("0.0", 0.0), ("1.0", 1.0), ("-1.0", -1.0),
    ("+1.0", 1.0), ("1.", 1.0), ("-1.", -1.0), (".5", 0.5), ("-.5", -0.5), ("+.5", 0.5), (".5e+3", 500.0),
    (".5e-3", 0.0005), ("1_0.5", 10.5), ("1.5_0", 1.5), ("._5", 0.5), (".5_", 0.5), ("00.5", 0.5), ("01.5", 1.5),
    ("-0", 0), ("-0.0", -0.0), ("+0", 0), ("0.10", 0.1), ("1.50", 1.5),
    ("1.23456789012345678901", 1.2345678901234567), (".inf", inf), (".Inf", inf), (".INF", inf), ("-.inf", -inf),
    ("+.inf", inf), ("-.INF", -inf), (".nan", nan), (".NaN", nan), (".NAN", nan), ("20260101", 20260101),
    ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00+00:00"), ("2026-01-01T1:00:00", "2026-01-01T01:00:00"),
    ("2026-01-01T10:00:00.5", "2026-01-01T10:00:00.500000"), ("2026-01-01T10:00:00-08", "2026-01-01T10:00:00-08:00"),
    ("2026-01-01T10:00:00+8", "2026-01-01T10:00:00+08:00"),
    ("2026-01-01T10:00:00.+01:00", "2026-01-01T10:00:00+01:00"), ("2026-01-01T10:00:00.", "2026-01-01T10:00:00"),
    ("2026-01-01T10:00:00-00:00", "2026-01-01T10:00:00+00:00"), ("2026-1-1T1:00:00Z", "2026-01-01T01:00:00+00:00"),
    ("1_e1", 10.0), ("+1_000", 1000), ("-1_000", -1000), ("9007199254740993", 9007199254740993),
    ("18446744073709551616", 18446744073709551616),
    ("123456789012345678901234567890", 123456789012345678901234567890),
    ("0xffffffffffffffffffff", 1208925819614629174706175), ("0o777777777777777777777777", 4722366482869645213695),
    ("1e308", 1e+308), ("1e309", inf), ("5e-324", 5e-324), ("2e-324", 0.0),
    ("1.7976931348623157e308", 1.7976931348623157e+308), ("0.1e1", 1.0), ("1E5", 100000.0), ("1e05", 100000.0),
    ("1e00", 1.0), ("00e00", 0.0), ("0_0", 0), ("0__0", 0), ("0_7", 7), ("07_7", 77), ("0x1_", 1), ("0b1_", 1),
    ("0o7_", 7), ("0o1_7", 15), ("0x1_f", 31), ("1_000.25", 1000.25), ("1_000e3", 1000000.0), ("1.0_0", 1.0),
    ("._1e+1", 1.0), (".1_e+1", 1.0), ("+1e1", 10.0), ("1.e1", 10.0), ("1.e+1", 10.0), ("1_.5", 1.5), ("1._5", 1.5),
    ("0.", 0.0), ("0.e0", 0.0), ("-0x0", 0), ("+0b1", 1), ("-0b0", 0), ("-00", 0), ("+00", 0), ("-01", -1),
    ("-08", -8), ("-1_", -1), ("+1.", 1.0), ("2026-01-01 10:00:00", "2026-01-01 10:00:00"),
    ("2026-01-01 10:00:00Z", "2026-01-01 10:00:00+00:00"),
    ("2026-01-01  10:00:00 +08:00", "2026-01-01 10:00:00+08:00"), ("2026-01-01 10:00", "2026-01-01 10:00"),
    ("2026-01-01 T10:00:00", "2026-01-01 T10:00:00"), ("1 000", "1 000"), ("1 ", 1), ("a b", "a b"),
    ("a  b", "a  b"), ("null null", "null null"), ("true false", "true false"),
    ("2026-01-01 10:00:00 -8", "2026-01-01 10:00:00-08:00"),
    ("2026-01-01 10:00:00 +08", "2026-01-01 10:00:00+08:00"),
    ("2026-01-01 10:00:00.25 Z", "2026-01-01 10:00:00.250000+00:00"),
    ("2026-01-01 10:00:00 z", "2026-01-01 10:00:00 z"), ("0 1", "0 1"), ("1e 3", "1e 3"), (". 5", ". 5"),
    ("+ 1", "+ 1"),
)  # fmt: skip
NO_VALUES = """
    +_ 2026-13-01 2026-01-45 2026-02-29 0000-01-01 2026-01-01T25:00:00 2026-01-01T10:60:00 2026-01-01T10:00:60
    2026-01-01T10:00:00+99:99 ._ -._
"""
"""What looks like a number or a date but is not one."""
QUOTED: tuple[tuple[str, Any], ...] = (
    ("", None), ("''", ""), ("'1'", "1"), ('"true"', "true"), ("'2026-01-01'", "2026-01-01"), ("'it''s'", "it's"),
    ('"\\x41\\u00e9\\U0001F989\\N\\_\\/"', "A\xe9\U0001f989\x85\xa0/"), ('"a\\\n  b"', "ab"), ('"a\n  b"', "a b"),
    ("a\n\n  b", "a\nb"), ("|\n  a\n  b", "a\nb\n"), ("|-\n  a", "a"), (">\n  a\n  b", "a b\n"), ("|2\n   x", " x\n"),
    ("&a 1", 1), ("&a true", True), ("&a ''", ""), ("! 1", 1), ("! a", "a"), ("!!str 1", "1"), ("!!str", ""),
    ("!!int '1'", 1), ("!!float 1", 1.0), ("!!bool 'true'", True), ("!!null ''", None), ("!!seq [1]", [1]),
    ("!!map {a: 1}", {"a": 1}), ("[a, [b, {c: d}]]", ["a", ["b", {"c": "d"}]]), ("[a: 1]", [{"a": 1}]),
    ("{a, b: }", {"a": None, "b": None}), ("{1: a, ~: b, true: c, 0x1f: d, 1.50: e}",
                                           {"1": "a", "None": "b", "True": "c", "31": "d", "1.5": "e"}),
)  # fmt: skip
TAGGED = (
    "!foo 1", "!foo [1]", "!foo {a: 1}", "!<x> 1", "!!foo a", "!!set {a, b}", "!!omap [a: 1]", "!!pairs [a: 1]",
    "!!timestamp 2026-01-01", "!!python/name:os.system ''", "!!python/object/apply:os.system ['touch ran']",
    "!!python/tuple [1]", "!!merge <<", "!!str [1]", "!!map a", "!!seq a", "!!seq {a: 1}", "!e!x 1",
)  # fmt: skip


@pytest.fixture(params=["of C", "of Python"], autouse=True)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "of Python":
        monkeypatch.setattr(yaml_tree, "PARSER", yaml.BaseLoader)
    else:
        assert yaml_tree.PARSER is yaml.CBaseLoader


def value(text: str) -> Any:
    return yaml_tree.parse(Path("s.yaml"), f"a: {text}\n".encode()).value["a"]


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        value(text)
    return refused.value.message


def test_text_is_text() -> None:
    assert {text: value(text) for text in AS_THEY_STAND.split()} == {text: text for text in AS_THEY_STAND.split()}


def test_numbers_switches_and_dates_are_what_they_were() -> None:
    assert [repr((text, value(text))) for text, _ in OTHERS] == [repr(one) for one in OTHERS]


def test_what_is_no_value_is_refused_in_its_place() -> None:
    for text in (*NO_VALUES.split(), "1" * 5000, "0x" + "1" * 5000):
        assert refusal(text).startswith("s.yaml:1:4: this looks like a number or a date but is not one"), text


def test_quotes_blocks_and_tags_of_plain_values() -> None:
    assert [repr((text, value(text))) for text, _ in QUOTED] == [repr(one) for one in QUOTED]


@pytest.mark.parametrize("text", TAGGED)
def test_other_tags_are_refused(text: str) -> None:
    assert refusal(text) == "s.yaml:1:4: tags (`!…`) are not supported; write plain values."


@pytest.mark.parametrize("text", ["!!int a", "!!int true", "!!float a", "!!bool yes", "!!null x"])
def test_a_value_is_of_the_kind_that_its_tag_says(text: str) -> None:
    assert refusal(text) == f"s.yaml:1:4: this is not a value of type `{text.partition(' ')[0]}`."
