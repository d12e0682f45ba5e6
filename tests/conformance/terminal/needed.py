"""Programs that a terminal's user has, from Debian's packages."""

import os
import shutil

import pytest


def needs(name: str) -> str:
    """The program's path; without it the test is skipped, but not where root could install it."""
    found = shutil.which(name)
    if found is None and os.geteuid() != 0:
        pytest.skip(f"{name} is not installed: run tests/conformance/install_packages.sh")
    assert found is not None, f"{name} is not installed, though root could"
    return found
