"""The operator's own code in a drill: where it is, what interpreter runs it, and harmless config variables for it."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from uscdr.errors import BadInput, MachineError
from uscdr.files import new_file, private_directory
from uscdr.sandbox.boot.source import Source, read_env_file
from uscdr.sandbox.dynos.withholding import REFUSING, withheld
from uscdr.settings import is_loopback_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from uscdr.scenarios.config import Config

GIT_SECONDS = 600.0
HASH_SECONDS = 120.0
HASHED = "uscdr-hash:"
"""What stands before the password's hash in the output of the application's own interpreter."""
ROUNDS = 600_000
_PASSWORD = "DRILL_PASSWORD"  # noqa: S105 - a variable's name
_SHELL = f"""import os
from django.contrib.auth.hashers import make_password
print("{HASHED}" + make_password(os.environ["{_PASSWORD}"]))
"""
_LACKS = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASS|PWD|CREDENTIAL|DSN|SALT")
_ADDRESS = re.compile(r"(?:URL|URI|ENDPOINT|ORIGIN|ORIGINS|WEBHOOK)$")
_HOST = re.compile(r"(?:HOST|SERVER|DOMAIN|RELAY|SMTP)$")
_PORT = re.compile(r"PORT$")
_SWITCH = re.compile(r"^(?:DEBUG$|USE_|ENABLE_|IS_)|_(?:ENABLED|DEBUG)$")
_MAIL = re.compile(r"E?MAIL|FROM$")
BROKER = "REDIS_URL"
_PLATFORMS = re.compile(r"^(?:DATABASE_URL|REDIS_URL|REDIS_TLS_URL|HEROKU_.*|DYNO|PORT|PATH|PYTHONHOME)$")
"""Variables that the platform sets; what the operator's are must not reach the drill."""
HOSTS = "127.0.0.1,localhost,.herokuapp.example"


@dataclass(frozen=True)
class OwnCode:
    """A source tree, the interpreter that has its requirements, and the variables that it gets."""

    tree: Path
    python: Path
    variables: Mapping[str, str] = field(repr=False)

    def hashed(self, password: str) -> str:
        """The password as the application stores one: by its own hasher, else in Django's usual format.

        Raises BadInput when the interpreter lacks a module that the application imports.
        """
        words = Source(self.tree, None, {}).manage.split()
        done = self._shell([str(self.python), *words[1:], "shell", "-c", _SHELL], password) if words else None
        said = done.stdout if done else ""
        own = [line.removeprefix(HASHED).strip() for line in said.splitlines() if line.startswith(HASHED)]
        if done is not None and not own and (found := _LACKS.findall(done.stderr)):
            raise _lacking(self.python, found[-1])
        return own[-1] if own else _usual_hash(password)

    def _shell(self, command: list[str], password: str) -> subprocess.CompletedProcess[str] | None:
        """None when it did not end; its database is not asked, and nothing outside can be reached."""
        system = {"PATH": f"{self.python.parent}{os.pathsep}/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(self.tree)}
        url = {"DATABASE_URL": f"postgres://nobody@127.0.0.1:9/{secrets.token_hex(4)}", BROKER: "redis://127.0.0.1:9"}
        environment = withheld({**system, **url, **self.variables, "PYTHONDONTWRITEBYTECODE": "1"})
        try:
            return subprocess.run(
                command, cwd=self.tree, env={**environment, _PASSWORD: password}, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, check=False, timeout=HASH_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None


def _lacking(python: Path, module: str) -> BadInput:
    return BadInput(
        f"The interpreter {python} lacks the module {module}, which the application imports.",
        next_action=f"Install the application's requirements there: {python} -m pip install -r requirements.txt",
    )


def _usual_hash(password: str) -> str:
    """Django's format of PBKDF2 with SHA-256."""
    import base64
    import hashlib

    salt = secrets.token_hex(11)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), ROUNDS)
    return f"pbkdf2_sha256${ROUNDS}${salt}${base64.b64encode(digest).decode()}"


def interpreter(given: Path | None, env: Mapping[str, str]) -> Path:
    """The interpreter for the operator's code. Raises BadInput when none is named, or it does not run Django."""
    named = given or (Path(env["USCDR_SANDBOX_PYTHON"]) if env.get("USCDR_SANDBOX_PYTHON") else None)
    if named is None:
        raise BadInput(
            "The drill needs an interpreter that has the application's requirements.",
            next_action="Make one, and name it: python3 -m venv app-venv && app-venv/bin/pip install -r "
            "requirements.txt && uscdr drill db --from vault:newest --python app-venv/bin/python",
        )
    python = named.absolute()  # not resolved: the place of a virtual environment's interpreter matters
    if not _imports_django(python):
        raise _lacking(python, "django")
    return python


def _imports_django(python: Path) -> bool:
    """Raises BadInput for what is no interpreter."""
    words = [str(python), "-c", "import django"]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=HASH_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        raise BadInput(
            f"--python: {python} is not a Python interpreter that can be run.",
            next_action="Name an interpreter: uscdr drill db --from vault:newest --python app-venv/bin/python",
        ) from None
    return done.returncode == 0


def require_code(given: str | None, config: Config) -> str:
    """Where the code is: a directory or a repository. Raises BadInput when neither option nor configuration says."""
    if given is None and config.app.source is None:
        raise BadInput(
            "The drill does not know where the application's code is.",
            next_action="Name a directory or a Git repository (--source DIR), or set `app.source` in scenarios.yaml: "
            "uscdr drill db --from vault:newest --source ./my-app --python app-venv/bin/python",
        )
    named = given or (config.app.source.git if config.app.source else "")
    if not _is_remote(named) and not Path(named).is_dir():
        raise BadInput(
            f"There is no directory {named}, where the application's code should be.",
            next_action="Name a directory or a Git repository: uscdr drill db --from vault:newest --source ./my-app",
        )
    return named


def _is_remote(named: str) -> bool:
    return "://" in named


def tree(named: str, config: Config, home: Path, *, as_it_is: bool) -> Path:
    """The source tree: the directory itself if it is to be taken `as_it_is`, else the commit of `app.source.ref`.

    Raises BadInput for a tree without a Procfile; ProviderError, ConfigError of the repository.
    """
    place = Path(named).absolute()
    if as_it_is and place.is_dir() and not (place / "HEAD").is_file():
        found = place
    else:
        found = _checked_out(named, config.app.source.ref if config.app.source else "main", home)
    if not (found / "Procfile").is_file():
        raise BadInput(
            f"The application's code at {named} has no Procfile: what to run is not known.",
            next_action=f"Add one, as the platform needs it: {place if found == place else named}/Procfile",
        )
    return found


def _checked_out(named: str, ref: str, home: Path) -> Path:
    from uscdr.providers.source.git_source import GitSource
    from uscdr.sandbox.builds.slugs import BuildFailed, unpack

    work = private_directory(home / "source")
    source = GitSource(named, cache=private_directory(work / "cache"), timeout=GIT_SECONDS, env=os.environ)
    archive = source.archive(ref, work)
    try:
        unpack(Path(archive.path), work / "tree")
    except BuildFailed as error:
        raise MachineError(f"The code of {named} could not be unpacked.", why=str(error)) from None
    return work / "tree"


# The config variables of the drill's application: the operator's names, and nothing of the operator's secrets.


def variables(config: Config, env_file: Path | None, key: str) -> dict[str, str]:
    """Every variable that scenarios.yaml names, and those of `env_file`, with harmless values.

    Secrets are generated, addresses lead to a port of loopback that refuses, mail variables are withheld. `key` is the
    drill's own for encrypted columns. Raises BadInput for a file that is not `NAME=value` lines.
    """
    given = _given(env_file)
    recovery = config.recovery
    names = dict.fromkeys((
        *config.config.required, *config.config.escrow, *config.config.derived, *recovery.address_variables,
        recovery.allowed_hosts_variable, recovery.encryption_key_variable, *given,
    ))  # fmt: skip
    withheld_names = {*recovery.mail_variables, *_databases(config)}
    wanted = (name for name in names if name and name not in withheld_names and not _PLATFORMS.match(name))
    values = {name: _harmless(name, given.get(name)) for name in wanted}
    return values | {recovery.allowed_hosts_variable: HOSTS, recovery.encryption_key_variable: key}


def _databases(config: Config) -> Iterator[str]:
    yield from (one.heroku.database for one in config.targets.values())


def _given(env_file: Path | None) -> dict[str, str]:
    if env_file is None:
        return {}
    if not env_file.is_file():
        raise BadInput(
            f"--env-file: there is no file {env_file}.", next_action="Name a file with NAME=value lines."
        )  # fmt: skip
    try:
        return read_env_file(env_file)
    except (OSError, UnicodeDecodeError):
        raise BadInput(
            f"--env-file: {env_file} cannot be read as text.", next_action="Name a file with NAME=value lines."
        ) from None


def _harmless(name: str, given: str | None) -> str:
    """The given value if it is neither a secret nor an address; else one by the variable's name."""
    upper = name.upper()
    if _SECRET.search(upper) and not _ADDRESS.search(upper):
        return secrets.token_urlsafe(40)
    kinds = ((_ADDRESS, REFUSING), (_HOST, "127.0.0.1"), (_PORT, "9"))
    fixed = next((value for pattern, value in kinds if pattern.search(upper)), None)
    if fixed is not None or (given is not None and _leads_out(given)):
        return fixed or REFUSING
    if given is not None:
        return given
    if _SWITCH.search(upper):
        return "False"
    return "drill@example.invalid" if _MAIL.search(upper) else f"drill-{secrets.token_hex(8)}"


def _leads_out(value: str) -> bool:
    """Whether a value names another machine, or a mailbox."""
    if "://" in value:
        try:
            return not is_loopback_host(urlsplit(value).hostname or "")
        except ValueError:
            return True
    return "@" in value


def write_env_file(path: Path, values: Mapping[str, str]) -> Path:
    """A 0600 file of `NAME=value` lines for the sandbox."""
    with new_file(path) as file:
        file.write("".join(f"{name}={value}\n" for name, value in values.items()).encode())
    return path
