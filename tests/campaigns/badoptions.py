"""Wrong values of the options of `recover app|media|infra`, `kit` and `dns`, and of their keys and files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import mutations as mutate
from .cases import BAD, DECLINED, FAILED, Case
from .escrow import Escrow
from .stand import Stand

ON = ("--target", "sandbox")
HOSTILE = {
    "empty": "",
    "shell": "$(touch /tmp/pwned); `id` | cat > x",
    "path": "../../../../etc/passwd",
    "rtl": "v1\u202e1v",
    "escape": "\x1b[2J\x1b]0;title\x07x",
    "line feeds": "x\n\nExit:  0 (done)",
    "option": "--upload-pack=touch /tmp/pwned",
    "surrogate": "v\udcff1",
    "big": "A" * 100_000,
    "emoji": "🦉" * 50,
}
SHORT = ("shell", "path", "escape")
EARLY = {
    "recover app": ("--release", "--ref"),
    "recover media": ("--cloud",),
    "recover infra": ("--app", "--backup", "--ref"),
    "kit build": ("--recipient", "--without"),
}
"""Options whose texts are judged before anything is called."""
LATE = {
    "recover app": ("--confirm",),
    "recover media": ("--from", "--kit", "--identity"),
    "recover infra": ("--kit",),
    "kit build": ("--to",),
    "kit check": ("--to", "--identity"),
}
"""Options that are judged by what is there."""
REFUSED = (1, BAD, FAILED, DECLINED)
"""Whatever the reason: never done, never unknown, never a crash."""


def cases(stand: Stand, escrow: Escrow) -> Iterator[Case]:
    """Every option with hostile text, then what each means in particular."""
    yield from _texts()
    yield from _names()
    yield from _identities(escrow)
    yield from _folders(stand)
    yield from _kits(stand, escrow)
    yield from _keys(stand)


def _texts() -> Iterator[Case]:
    for command, names in EARLY.items():
        for option in names:
            chosen = HOSTILE if option == names[0] else SHORT
            yield from (_text(command, option, name) for name in chosen)
    for command, names in LATE.items():
        yield from (_text(command, option, name) for option in names for name in SHORT)
    for command in ("kit check", "dns rollback"):
        for name, text in HOSTILE.items():
            yield Case(f"{command} {name}", (*ON, *command.split(), "--", text), REFUSED)


def _text(command: str, option: str, name: str) -> Case:
    return Case(f"{command} {option} {name}", (*ON, *command.split(), f"{option}={HOSTILE[name]}"), REFUSED)


def _names() -> Iterator[Case]:
    for name in ("ab", "x" * 31, "-abc", "abc-", "Usc-Pis", "usc.pis", "usc pis", "1abc", "usc-pis\n", "usc-pis"):
        yield Case(f"infra --app {name!r}", (*ON, "recover", "infra", f"--app={name}", "--confirm", "x"), (BAD,))
    for release in ("v999", "v0", "v-1", "1", "latest"):
        yield Case(f"app --release {release}", (*ON, "recover", "app", "--release", release, "--confirm", "x"), (BAD,))
    yield Case("app --ref unknown", (*ON, "recover", "app", "--ref", "no-such-branch", "--confirm", "x"), (BAD,))
    yield Case(
        "media --cloud unknown", (*ON, "recover", "media", "--cloud", "nowhere", "--confirm", "x"), (BAD, FAILED)
    )
    yield Case("infra --backup unknown", (*ON, "recover", "infra", "--backup", "b999", "--confirm", "x"), (BAD,))
    yield Case("infra, nobody to ask", (*ON, "recover", "infra"), (DECLINED,))
    yield Case("media, nothing lost, nobody to ask", (*ON, "recover", "media"), (0, DECLINED))
    yield Case("dns rollback, nothing to undo", (*ON, "dns", "rollback"), (1, BAD))


def _identities(escrow: Escrow) -> Iterator[Case]:
    kit = ("--kit", f"{escrow.place}:newest")
    commands: list[tuple[str, ...]] = [("recover", "infra", *kit), ("recover", "media", *kit)]
    for command in (*commands, ("kit", "check", "--to", str(escrow.place))):
        named = " ".join(command[:2])
        wrong = escrow.wrong_identities()
        few = command[1] == "media"  # the same door as infra's
        for name, path in [*wrong.items()][: 3 if few else None]:
            yield Case(f"{named}, identity {name}", (*ON, *command, "--identity", str(path)), (BAD, FAILED))
    missing = {"USCDR_AGE_IDENTITY": str(escrow.identity) + "-none"}
    yield Case("identity of the environment is missing", (*ON, "recover", "infra", *kit), (BAD, FAILED), missing)
    for scenario in ("infra", "media"):
        yield Case(f"recover {scenario}, no identity", (*ON, "recover", scenario, *kit, "--confirm", "x"), (BAD,))


def _folders(stand: Stand) -> Iterator[Case]:
    file = stand.root / "no-folder"
    file.write_text("text")
    loop = stand.root / "loop"
    loop.symlink_to(loop)
    places = {"missing": stand.root / "nowhere", "a file": file, "a loop": loop, "a device": Path("/dev/null")}
    for name, path in places.items():
        for option, command in (
            ("--from", ("recover", "media")),
            ("--to", ("kit", "list")),
            ("--to", ("kit", "check")),
        ):
            allowed = (0, BAD, FAILED) if command[1] == "list" else (BAD, FAILED)
            yield Case(f"{' '.join(command)} {option} {name}", (*ON, *command, option, str(path)), allowed)
        if name != "missing":
            to = (*ON, "kit", "build", "--to", str(path), "--recipient", Escrow.STRANGER)
            yield Case(f"kit build --to {name}", to, (BAD, FAILED))


def _kits(stand: Stand, escrow: Escrow) -> Iterator[Case]:
    mine = ("--identity", str(escrow.identity))
    for name in ("nothing", f"{stand.root}/nowhere:newest", "/dev/null:newest", ":", "a:b:c", f"{escrow.place}:x"):
        allowed = (BAD, FAILED)
        yield Case(
            f"infra --kit {name[-20:]}", (*ON, "recover", "infra", "--kit", name, *mine, "--confirm", "x"), allowed
        )
        yield Case(
            f"media --kit {name[-20:]}", (*ON, "recover", "media", "--kit", name, *mine, "--confirm", "x"), allowed
        )
    build = (*ON, "kit", "build", "--to", str(stand.root / "unused"))
    yield Case("kit build, no recipient", build, (BAD,))
    yield Case("kit build, a private key as recipient", (*build, "--recipient", escrow.private), (BAD,))
    yield Case("kit build, private in the environment", build, (BAD,), {"USCDR_KIT_RECIPIENTS": escrow.private})
    yield Case("kit build, half a recipient", (*build, "--recipient", Escrow.STRANGER[:30]), (BAD,))
    yield Case("kit build, unknown backup", (*build, "--recipient", Escrow.STRANGER, "--backup", "b999"), (BAD,))
    both = (*build, "--recipient", Escrow.STRANGER, "--backup", "b001", "--capture")
    yield Case("kit build, two wishes", both, (BAD,))


def _keys(stand: Stand) -> Iterator[Case]:
    """Keys of the media service and the domain that are wrong: refused by the provider, never repeated."""
    config = stand.root / "keys.yaml"
    config.write_text(mutate.whole_target(stand.contract))
    real = ("--config", str(config), "--target", "real", "recover")
    token = {"HEROKU_API_KEY": stand.contract["heroku"]["token"]}
    account = stand.contract["cloudinary"]["accounts"][0]
    media = {"USCDR_CLOUDINARY_CLOUD": account["cloud"], "USCDR_CLOUDINARY_KEY": account["api_key"]}
    for name, secret in (("wrong", "not-the-secret-at-all"), ("not ASCII", "gehéimnis-ü"), ("line feed", "a\nb")):
        env = {**token, **media, "USCDR_CLOUDINARY_SECRET": secret}
        yield Case(f"media secret {name}", (*real, "media", "--confirm", "x"), (BAD, FAILED), env)
    for name, key in (
        ("not base64", "!!!"),
        ("wrong", "c29tZS1vdGhlci1rZXktb2YtMzItYnl0ZXMtbG9uZw=="),
        ("not ASCII", "ü"),
    ):
        yield Case(f"DNS key {name}", (*real, "infra", "--confirm", "x"), REFUSED, {**token, "USCDR_DNS_KEY": key})
    yield Case("no DNS key", (*real, "infra", "--confirm", "x"), (BAD,), token)
    wrong = {"USCDR_SANDBOX_DNS": "cloudflare", "USCDR_CLOUDFLARE_TOKEN": "no-token-of-theirs"}
    yield Case("wrong Cloudflare token", (*ON, "recover", "infra", "--confirm", "x"), REFUSED, wrong)
    yield Case(
        "unknown DNS adapter", (*ON, "recover", "infra", "--confirm", "x"), (BAD,), {"USCDR_SANDBOX_DNS": "bind"}
    )
