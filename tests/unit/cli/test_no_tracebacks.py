"""What falls beside the command's own thread writes no traceback into the screen."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
from uscdr.cli import main

def fall():
    raise RuntimeError("Juan Dela Cruz")

class Reluctant:
    def __del__(self):
        raise RuntimeError("Juan Dela Cruz")

def run(arguments):
    thread = threading.Thread(target=fall)
    thread.start()
    thread.join()
    Reluctant()
    print("went on")
    return 0

main.run = run
main.main()
"""


def test_a_thread_that_falls_is_not_shown() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "went on\n", "")
