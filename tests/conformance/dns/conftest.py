"""Two places, one contract: Debian's name servers and the sandbox's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import name_servers
import pytest
from zone_places import Place, debian, sandbox


def debian_or_skip(stack: ExitStack) -> Place:
    absent = name_servers.missing()
    reason = f"{absent} not installed: run tests/conformance/install_packages.sh"
    if absent and os.geteuid() != 0:
        pytest.skip(reason)
    # Root can install them: their absence is a failure there.
    assert not absent, reason
    return stack.enter_context(debian(Path(stack.enter_context(tempfile.TemporaryDirectory()))))


@pytest.fixture(scope="session")
def bind() -> Iterator[Place]:
    with ExitStack() as stack:
        yield debian_or_skip(stack)


@pytest.fixture(scope="session")
def emulated() -> Iterator[Place]:
    with sandbox() as here:
        yield here


@pytest.fixture(scope="session", params=["bind", "emulated"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


_numbers = count(1)


@pytest.fixture
def name(place: Place) -> Iterator[str]:
    """A name of the test's own, an alias of the old target with a TTL of 300 s."""
    name = f"n{next(_numbers)}.{place.zone}"
    place.put(name, "300 CNAME old.herokudns.com.")
    yield name
    place.put(name)
