"""The variables of the environment that this program reads; `uscdr help environment` prints them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class _Variable:
    """One variable. `used`: the option that overrides it, or the commands that read it. `secret`: works like a key."""

    name: str
    meaning: str
    used: str
    secret: bool = False


_EVERY = "every command"
_RECOVERY = "recover, runs resume, verify, backup, kit build"


def _secret(name: str, meaning: str, used: str) -> _Variable:
    return _Variable(name, meaning, used, secret=True)


ENVIRONMENT = (
    _secret("HEROKU_API_KEY", "The token for Heroku. Without it, that of the Heroku CLI or ~/.netrc.", _RECOVERY),
    _Variable(
        "USCDR_CLOUDINARY_CLOUD",
        "The cloud of the next two. Without it, the application's config vars, then the kit.",
        "recover media, recover infra, verify, kit build",
    ),
    _secret("USCDR_CLOUDINARY_KEY", "The API key of that cloud.", "the same"),
    _secret("USCDR_CLOUDINARY_SECRET", "The API secret of that cloud.", "the same"),
    _secret(
        "USCDR_DNS_KEY", "The TSIG key of the DNS zone, base64 (rfc2136).", "recover infra, dns rollback, kit build"
    ),
    _secret(
        "USCDR_CLOUDFLARE_TOKEN",
        "A token that may edit the DNS zone (cloudflare).",
        "recover infra, dns rollback, kit build",
    ),
    _Variable("USCDR_AGE_IDENTITY", "Path of the file with the private key that opens kits and copies.", "--identity"),
    _Variable(
        "USCDR_KIT_RECIPIENTS", "Public keys for new kits and copies, separated by commas or lines.", "--recipient"
    ),
    _Variable(
        "USCDR_VAULT_PASSPHRASE_FILE",
        "Path of the file with the passphrase of the copies, instead of a key.",
        "--passphrase-file",
    ),
    _secret("USCDR_SCRATCH", "A PostgreSQL server of your own for proofs, as a URL with its password.", "--scratch"),
    _secret("USCDR_CHECK_TOKEN", "A token of the account for the application's checks.", "verify, watch, recover"),
    _Variable("USCDR_CHECK_EMAIL", "The mail address of that account, instead of a token.", "verify, watch, recover"),
    _secret("USCDR_CHECK_PASSWORD", "The password of that account.", "verify, watch, recover"),
    _secret("USCDR_PING", "The address that a monitoring service gave for a command.", "--ping"),
    _Variable("USCDR_CONFIG", "Path of scenarios.yaml.", "--config"),
    _Variable("USCDR_TARGET", "Target of scenarios.yaml, or `sandbox`.", "--target"),
    _Variable("USCDR_STATE_DIR", "Directory of runs, incidents, proofs and records.", _EVERY),
    _Variable(
        "USCDR_SHARED",
        "The store that a team shares: a directory, s3://…, gs://… or az://….",
        "recover, runs, drill, incident",
    ),
    _Variable(
        "USCDR_SHARED_LEASE",
        "How long its lease lasts without renewal, from 5s to 15m; without it a minute.",
        "recover, runs resume",
    ),
    _Variable("USCDR_OPERATOR", "Who you are, in locks, journals and reports; without it the login.", _EVERY),
    _Variable(
        "USCDR_SERVER_FILES",
        "As root: directory for the files of private PostgreSQL servers; without it /var/tmp.",
        "backup prove, recover db, sandbox up",
    ),
    _Variable(
        "USCDR_SANDBOX_STEADY", "Seconds that a dyno of the sandbox must stay up; without it 10.", "--target sandbox"
    ),
    _Variable("USCDR_SANDBOX_PYTHON", "Interpreter that runs the sandbox's application.", "sandbox up, drill"),
    _Variable(
        "USCDR_SANDBOX_DNS", "How the sandbox's domain is edited: rfc2136, cloudflare or manual.", "--target sandbox"
    ),
    _Variable(
        "AWS_ACCESS_KEY_ID", "The key of an s3:// store. The other AWS_ variables count, too.", "--to, USCDR_SHARED"
    ),
    _secret("AWS_SECRET_ACCESS_KEY", "The secret of that key.", "--to, USCDR_SHARED"),
    _secret("PGPASSWORD", "The password of your PostgreSQL server, if its URL has none.", "--scratch"),
    _Variable("PGPASSFILE", "Path of the file with that password.", "--scratch"),
    _Variable("VISUAL", "Your editor; then EDITOR.", "incident review --editor"),
    _Variable("EDITOR", "Your editor, if VISUAL is not set.", "incident review --editor"),
    _Variable("NETRC", "Path of the file with the login for Heroku; without it ~/.netrc.", _RECOVERY),
    _Variable("HOME", "Your home directory.", _EVERY),
    _Variable("LOGNAME", "Your login; then USER.", "locks, journals and reports"),
    _Variable("USER", "Your login, if LOGNAME is not set.", "locks, journals and reports"),
    _Variable("NO_COLOR", "Any value: print without colour.", "--no-color"),
    _Variable("TERM", "`dumb`: no colour and no cursor movement.", _EVERY),
    _Variable("PAGER", "The program that pages long text at a terminal; else less.", "docs, recover --dry-run"),
    _Variable("COLUMNS", "Width of help that is not printed at a terminal.", "help"),
)
"""In the order in which help shows them. Channels of an incident name further variables in scenarios.yaml."""
