"""Commands to paste: what the command line named goes with them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from uscdr.ui.pasted import CARRIED
from uscdr.ui.text import Span, wrap

CARRYING = ["--config", "my file.yaml", "--target=sandbox", "backup", "list"]


@pytest.fixture
def carrying() -> Iterator[None]:
    with CARRIED.of(CARRYING):
        yield


BOTH = "uscdr --config 'my file.yaml' --target sandbox"


@pytest.mark.usefixtures("carrying")
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("See: uscdr backup list", f"See: {BOTH} backup list"),
        ("Check, then: uscdr runs resume RUN. Then: uscdr verify all",
         f"Check, then: {BOTH} runs resume RUN. Then: {BOTH} verify all"),
        ("uscdr backup pull && uscdr backup prove", f"{BOTH} backup pull && {BOTH} backup prove"),
        ("Run: uscdr recover db --backup b1 --target other (or: uscdr verify)",
         f"Run: uscdr --config 'my file.yaml' recover db --backup b1 --target other (or: {BOTH} verify)"),
        ("uscdr --target sandbox recover db", "uscdr --config 'my file.yaml' --target sandbox recover db"),
        ("uscdr recover … --new. Pass --target with a name.", f"{BOTH} recover … --new. Pass --target with a name."),
        ("uscdr config check my.yaml; uscdr config init", "uscdr config check my.yaml; uscdr config init"),
        ("uscdr sandbox up; uscdr help dates; uscdr --help; uscdr recover --help",
         "uscdr sandbox up; uscdr help dates; uscdr --help; uscdr recover --help"),
        ("uscdr changed nothing, says uscdr 1.2", "uscdr changed nothing, says uscdr 1.2"),
    ],
)  # fmt: skip
def test_a_command_to_paste_carries_what_the_command_line_named(text: str, wanted: str) -> None:
    assert CARRIED.text(text) == wanted
    assert CARRIED.text(wanted) == wanted
    assert Span(text).text == wanted
    assert wrap(text, 200) == [wanted]


def test_in_json_the_quotes_of_a_path_are_spelt() -> None:
    with CARRIED.of(["--config", 'a"é.yaml', "verify"]):
        text = CARRIED.text(json.dumps({"next": "uscdr verify all", "more": "x --config"}), in_json=True)
    assert json.loads(text)["next"] == "uscdr --config 'a\"é.yaml' verify all"


@pytest.mark.parametrize(
    ("typed", "target", "meant", "wanted"),
    [
        ("backup list -- --target sandbox", "production", None, "uscdr verify"),
        ("runs show --target sandbox", "production", None, "uscdr --target production verify"),
        ("runs show", "production", "sandbox", "uscdr --target production verify"),
        ("runs show", "production", "production", "uscdr verify"),
        ("runs show", "sandbox", None, "uscdr --target sandbox verify"),
        ("runs show", "sandbox", "sandbox", "uscdr verify"),
    ],
)
def test_the_target_of_a_run_decides(typed: str, target: str, meant: str | None, wanted: str) -> None:
    with CARRIED.of(typed.split()):
        CARRIED.on(target, {"USCDR_TARGET": meant} if meant else {})
        assert CARRIED.text("uscdr verify") == wanted
    assert CARRIED.text("uscdr verify") == "uscdr verify"
