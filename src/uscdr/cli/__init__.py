"""The command line, which starts often. Garbage is looked for seldom, because what is imported stays."""

import gc
import sys
import types

gc.set_threshold(500_000, 20, 20)
if "httpx" not in sys.modules:  # as if its extra `cli` were not installed, which loads a renderer and a highlighter
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # what Python takes for a module that is not there
if "pydantic" not in sys.modules:  # without its search for plugins among every installed distribution
    vars(sys.modules.setdefault("pydantic.plugin._loader", types.ModuleType("_loader")))["get_plugins"] = tuple

FILES = 1024
"""Maximum of open files and connections that a recovery needs at the same time."""
