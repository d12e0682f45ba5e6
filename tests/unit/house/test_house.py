"""Every figure of `tools/house.py` can be wrong, on a made-up package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tools import house
from tools.house import Figure, Limit

Built = Callable[[Mapping[str, str]], dict[str, Figure]]
SMALL = {"cli/__init__.py": "", "cli/main.py": '"""One."""\nfrom uscdr import below\n', "below.py": '"""Two."""\n'}


@pytest.fixture
def built(tmp_path: Path) -> Built:
    """A function that writes modules by their path in the package, and measures them."""

    def build(texts: Mapping[str, str]) -> dict[str, Figure]:
        for name, text in texts.items():
            path = tmp_path / "uscdr" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return {each.name: each for each in house.measure(house.read(tmp_path))}

    return build


def test_a_small_tidy_house(built: Built) -> None:
    found = built(SMALL)
    assert (found["modules"].product, found["modules"].sandbox) == (2, 0)
    assert "3 files" in found["modules"].means
    assert found["lines"].product == 3
    assert found["chain"].details == ["uscdr.cli.main", "uscdr.below"]
    assert found["one-importer"].details == ["uscdr.below <- uscdr.cli.main"]
    for name in ("names", "doubles", "circles", "type-circles", "long-modules", "long-functions"):
        assert (found[name].product, found[name].sandbox) == (0, 0), name
    assert not any(each.exceeded for each in found.values())


def test_public_names_at_the_top_are_counted(built: Built) -> None:
    found = built(
        {"a.py": "class A:\n  def f(self): ...\n\n\nasync def g(): ...\ndef _own(): ...\nif g:\n  def h(): ...\n"}
    )
    assert found["names"].details == ["  3 uscdr.a"]
    assert found["names"].product == 1000 * 3 / 8


def test_a_class_name_in_two_modules(built: Built) -> None:
    found = built(
        {
            "a.py": "class Two: ...\nclass _Own: ...\ndef job(): ...\n",
            "b.py": "class Two: ...\nclass _Own: ...\ndef job(): ...\n",
            "sandbox/c.py": "class Two: ...\n",
        }
    )
    assert found["doubles"].details == ["Two: uscdr.a, uscdr.b"]
    assert (found["doubles"].product, found["doubles"].sandbox) == (1, 0)


@pytest.mark.parametrize(
    "back",
    [
        "import uscdr.a\n",
        "from uscdr import a\n",
        "from uscdr.a import f\n",
        "from . import a\n",
        "from .a import f\n",
        "def late():\n    from uscdr.a import f\n",
        "try:\n    import x\nexcept ImportError:\n    from uscdr.a import f\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import x\nelse:\n    import uscdr.a\n",
        "TABLE = {'a': 'uscdr.a:f'}\n",
        "import importlib\nimportlib.import_module('uscdr.a')\n",
        "from importlib import import_module\nNAMES = ('a', 'z')\n[import_module(f'uscdr.{name}') for name in NAMES]\n",
    ],
)
def test_a_circle_is_found_however_it_is_closed(built: Built, back: str) -> None:
    found = built({"a.py": "from uscdr import b\n\ndef f(): ...\n", "b.py": back})
    assert found["circles"].details == ["uscdr.a <-> uscdr.b"]
    assert (found["circles"].product, found["circles"].sandbox, found["type-circles"].product) == (1, 0, 0)
    assert found["circles"].exceeded


def test_a_circle_of_three_inside_the_sandbox_exceeds_the_limit_too(built: Built) -> None:
    found = built(
        {
            "sandbox/a.py": "from uscdr.sandbox import b",
            "sandbox/b.py": "from uscdr.sandbox import c",
            "sandbox/c.py": "def f():\n  from uscdr.sandbox.a import x",
        }
    )
    assert found["circles"].details == ["uscdr.sandbox.a <-> uscdr.sandbox.b <-> uscdr.sandbox.c"]
    assert (found["circles"].product, found["circles"].sandbox) == (0, 1)
    assert found["circles"].exceeded


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_a_circle_by_an_import_for_types_stands_apart(built: Built, test: str) -> None:
    found = built({"a.py": "from uscdr import b\n", "b.py": f"if {test}:\n    from uscdr.a import f\n"})
    assert found["circles"].product == 0
    assert found["type-circles"].details == ["uscdr.a <-> uscdr.b"]


def test_the_longest_chain_begins_at_a_command_and_goes_through_a_circle_once(built: Built) -> None:
    found = built(
        {
            "cli/main.py": "from uscdr import short, a\n",
            "short.py": "from uscdr import z\n",
            "a.py": "from uscdr import b\n",
            "b.py": "def f():\n  from uscdr import c\n",
            "c.py": "from uscdr import b, z\n",
            "z.py": "X = 1\n",
            "nobody.py": "from uscdr.cli import main\n",
        }
    )
    assert found["chain"].details == ["uscdr.cli.main", "uscdr.a", "uscdr.b", "uscdr.c", "uscdr.z"]
    assert found["chain"].product == 5


def test_a_module_with_two_importers_is_none_with_one(built: Built) -> None:
    found = built({**SMALL, "other.py": "import uscdr.below\n"})
    assert found["one-importer"].product == 0


@pytest.mark.parametrize(("lines", "times"), [(500, 0), (501, 1)])
def test_a_long_module(built: Built, lines: int, times: int) -> None:
    found = built({"a.py": "X = 1\n" * lines, "sandbox/b.py": "X = 1\n"})
    assert (found["long-modules"].product, found["long-modules"].exceeded) == (times, bool(times))


@pytest.mark.parametrize(("body", "times"), [(39, 0), (40, 1)])
def test_a_long_function_wherever_it_stands(built: Built, body: int, times: int) -> None:
    inner = "class A:\n  @staticmethod\n  def f():\n" + "    x = 1\n" * body
    found = built({"a.py": inner, "sandbox/b.py": inner})
    assert (found["long-functions"].product, found["long-functions"].sandbox) == (times, times)
    assert found["long-functions"].details == [f"   {body + 1} uscdr.{where}.f" for where in ("a", "sandbox.b")] * times


def test_the_exit_code_and_the_table(
    built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    built(SMALL)
    assert house.main([], tmp_path) == 0
    monkeypatch.setitem(house.LIMITS, "modules", Limit(1, 0))
    assert house.main([], tmp_path) == 1
    within, beyond = capsys.readouterr().out.split("figure ", 2)[1:]
    assert "EXCEEDED" not in within
    assert [line.split(":")[0] for line in beyond.splitlines() if "EXCEEDED" in line] == ["modules"]


def test_the_details_behind_a_figure(built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    built(SMALL)
    house.main(["--list", "modules"], tmp_path)
    assert capsys.readouterr().out == "    2 uscdr.cli.main\n    1 uscdr.below\n"
    with pytest.raises(SystemExit):
        house.main(["--list", "beauty"], tmp_path)
