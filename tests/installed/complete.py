"""Whether a wheel holds every file of the package, and the packaged scenarios.yaml. Exit 1 with what is missing."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

RENAMED = {"uscdr/scenarios/default.yaml": "scenarios.yaml", "uscdr/docs/README.md": "README.md"}
"""Where the wheel has what lies elsewhere in the checkout."""
FOLDERS = {"uscdr/docs": "docs", "{data}/data/share/man/man1": "docs/man"}
"""The same for whole folders; `{data}` is what installers put outside of the package."""
LICENCE = "licenses/LICENSE"


def differences(wheel: Path, checkout: Path) -> list[str]:
    """In words; none when it is complete and every file is as in the checkout."""
    source = checkout / "src"
    wanted = {
        path.relative_to(source).as_posix(): path
        for path in (source / "uscdr").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts[len(source.parts) :]
    }
    wanted |= {name: checkout / path for name, path in RENAMED.items()}
    with zipfile.ZipFile(wheel) as packed:
        listed = [name for name in packed.namelist() if not name.endswith("/")]
        described = next(name.partition("/")[0] for name in listed if name.partition("/")[0].endswith(".dist-info"))
        wanted |= _folders(checkout, described.replace(".dist-info", ".data"))
        wanted[f"{described}/{LICENCE}"] = checkout / "LICENSE"
        names = {name for name in listed if not name.startswith(described) or name.endswith(LICENCE)}
        changed = [name for name in sorted(names & wanted.keys()) if packed.read(name) != wanted[name].read_bytes()]
    found = [f"missing: {name}" for name in sorted(wanted.keys() - names)]
    found += [f"not in the checkout: {name}" for name in sorted(names - wanted.keys())]
    return found + [f"differs: {name}" for name in changed]


def _folders(checkout: Path, data: str) -> dict[str, Path]:
    pairs = [(inside.format(data=data), checkout / outside) for inside, outside in FOLDERS.items()]
    return {
        f"{inside}/{path.relative_to(folder).as_posix()}": path
        for inside, folder in pairs
        for path in folder.rglob("*")
        if path.is_file()
    }


if __name__ == "__main__":
    wrong = differences(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write("".join(f"{line}\n" for line in wrong) or "The wheel holds every file of the package.\n")
    sys.exit(1 if wrong else 0)
