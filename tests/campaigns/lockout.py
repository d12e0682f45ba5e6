"""The clinic counts refused logins: whatever looks at it, a person behind the same address gets in at any time.

The clinic's window is made sixty times shorter, in the clinic and in `scenarios.yaml` alike: a night of `verify` every
ten minutes takes nine minutes.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uscdr.scenarios.config_file import packaged

from .kill import RECOVER
from .product import Ended, Product
from .stand import DAMAGES, Stand
from .tally import Tally

_WINDOW, _EVERY = 15, 10.0  # seconds for fifteen and ten minutes
_BURST = 6
_LOGIN = "api/auth/login/"
_COUNTED = ("login-refuses-empty", "register-form")
_UP = 60.0  # seconds
_OK, _REFUSED, _LIMITED = 200, 401, 429


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """`count` looks ten minutes apart, and recoveries; then a burst of looks by two machines; then a drill."""
    del seed
    config = _config(stand.root / "lockout.yaml", within=f"{_WINDOW}s")
    with _short_window(stand):
        _night(stand, tally, config, count)
        for again in range(min(3, count // 4)):
            _recovery(stand, tally, config, DAMAGES[again])
    _burst(stand, tally, _config(stand.root / "whole.yaml", within="15m"))
    if count > _BURST:
        _drill(stand, tally)


def _night(stand: Stand, tally: Tally, config: Path, count: int) -> None:
    product = stand.case("night")
    for number in range(count):
        begun = time.monotonic()
        ended = _verify(product, config)
        wrong = ended.complaints(0, 1) + _person(stand)  # the release is young, and the log has its errors
        wrong += [f"{name}: {_finding(ended, name)}" for name in _COUNTED if _verdict(ended, name) != "pass"]
        tally.case(f"look {number + 1} of a night", wrong=wrong)
        time.sleep(max(0.0, _EVERY - (time.monotonic() - begun)))
    tally.leak("night", stand.done_with(product))


def _burst(stand: Stand, tally: Tally, config: Path) -> None:
    """Two machines behind one address, one look after the other; nobody logs in rightly in between."""
    machines = [stand.case("one"), stand.case("other")]
    for number in range(_BURST):
        ended = _verify(machines[number % 2], config, *_COUNTED)
        found = {_verdict(ended, name) for name in _COUNTED}
        wrong = ended.complaints(0, 1) + ([] if found <= {"pass", "not checked"} else [f"verdicts: {found}"])
        tally.case(f"look {number + 1} of a burst", wrong=wrong)
    tally.case("a person after the burst", wrong=_person(stand))
    wrong = [] if (code := _login(stand, "mistyped")) == _REFUSED else [f"a wrong password is answered {code}"]
    tally.case("a person who mistypes", wrong=wrong + _person(stand))
    for product in machines:
        tally.leak("burst", stand.done_with(product))


def _recovery(stand: Stand, tally: Tally, config: Path, how: str) -> None:
    wrong, product = stand.damage(how), stand.case("recovery")
    command = ("--config", str(config), *RECOVER)
    wrong += product.run(*command, "--confirm", stand.phrase(how)).complaints(0)
    tally.case(f"recovery from {how}", wrong=wrong + _person(stand))
    tally.leak("recovery", stand.done_with(product))


def _drill(stand: Stand, tally: Tally) -> None:
    product = stand.case("drill")
    (product.state / "sandbox").unlink()  # it makes one of its own
    wrong = product.run("drill", "db", "--patients", "40").complaints(0)
    tally.case("a drill", wrong=wrong + _person(stand))
    tally.leak("drill", stand.done_with(product))


def _verify(product: Product, config: Path, *names: str) -> Ended:
    return product.run(
        "--config", str(config), "--target", "sandbox", "verify", "all", *names, "--skip-manual", "--json"
    )


def _verdict(ended: Ended, name: str) -> str:
    return str(_finding(ended, name).get("verdict", "none"))


def _finding(ended: Ended, name: str) -> dict[str, Any]:
    """What a check says, whole; empty when it was not made."""
    lines = (json.loads(line)["event"] for line in ended.out.splitlines() if '"check.finished"' in line)
    return next((event for event in lines if event["check"] == name), {})


def _person(stand: Stand) -> list[str]:
    """What is wrong with how a right login is answered, from the same address."""
    code = _login(stand, stand.contract["check_account"]["password"])
    return [] if code == _OK else [f"a person's right login is answered {code}"]


def _login(stand: Stand, password: str) -> int:
    body = json.dumps({"email": stand.contract["check_account"]["email"], "password": password}).encode()
    request = urllib.request.Request(
        stand.contract["web_url"] + _LOGIN, data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _config(path: Path, *, within: str) -> Path:
    """The packaged one, with the counted forms also at the end of a recovery."""
    text = packaged().read_text().replace("within: 15m", f"within: {within}")
    path.write_text(text.replace("after_recovery: [", f"after_recovery: [{', '.join(_COUNTED)}, "))
    path.chmod(0o600)
    return path


@contextmanager
def _short_window(stand: Stand) -> Iterator[None]:
    """The clinic counts for so many seconds; a new release makes it forget what it counted, too."""
    _set(stand, str(_WINDOW))
    try:
        yield
    finally:
        _set(stand, None)


def _set(stand: Stand, seconds: str | None) -> None:
    stand.api("PATCH", f"/apps/{stand.app}/config-vars", {"LOCKOUT_SECONDS": seconds})
    until = time.monotonic() + _UP
    while not (_is_up(stand) and _login(stand, stand.contract["check_account"]["password"]) == _OK):
        if time.monotonic() > until:
            return
        time.sleep(1.0)


def _is_up(stand: Stand) -> bool:
    """Whether all dynos run the newest release: those of the one before answer until they are stopped."""
    newest = max(int(one["version"]) for one in stand.api("GET", f"/apps/{stand.app}/releases"))
    dynos = stand.api("GET", f"/apps/{stand.app}/dynos")
    return bool(dynos) and all((one["state"], one["release"]["version"]) == ("up", newest) for one in dynos)
