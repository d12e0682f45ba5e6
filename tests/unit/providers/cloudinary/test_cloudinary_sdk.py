"""Loading the SDK: what its import must not do."""

from __future__ import annotations

import subprocess
import sys

_LOAD = """
import sys
started = []
sys.addaudithook(lambda event, seen: started.append(seen[1]) if event == "subprocess.Popen" else None)
from uscdr.providers.cloudinary.client import load_sdk
load_sdk()
assert "cloudinary" in sys.modules
print(started)
"""


def test_it_starts_no_process_that_would_inherit_our_environment() -> None:
    done = subprocess.run([sys.executable, "-c", _LOAD], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
