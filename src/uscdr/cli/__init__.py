"""The command line, which starts often: what its libraries load or do for others is left out.

Garbage is looked for seldom, because what is imported stays. The command line of httpx, which nobody calls here, would
load a renderer and a highlighter of source code.
"""

import gc
import sys
from types import ModuleType


def _main() -> None:
    """In place of the command line of httpx."""


gc.set_threshold(500_000, 20, 20)
sys.modules.setdefault("httpx._main", ModuleType("httpx._main")).main = _main  # type: ignore[attr-defined]
