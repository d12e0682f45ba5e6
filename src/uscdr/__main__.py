"""`python -m uscdr`: the same as `uscdr`, for when the script is not on the PATH."""

from __future__ import annotations

import sys

if not sys.flags.safe_path:
    del sys.path[0]  # the directory where the command is given: what lies there is no module of ours

from uscdr.cli.main import main

if __name__ == "__main__":
    main()
