"""`python -m uscdr`: the same as `uscdr`, for when the script is not on the PATH."""

from __future__ import annotations

from uscdr.cli.boundary import main

if __name__ == "__main__":
    main()
