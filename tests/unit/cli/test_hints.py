"""A wrong word is answered with one command that leads on: by meaning, then by spelling."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from documented import every, parsed
from uscdr.cli import main
from uscdr.cli.hint_words import ALONE, GROUPS, NOTES, OBJECTS, PAIRS, PHRASES, TOOLS, VERBS, WITHIN, WORDS
from uscdr.cli.hints import completed, exists
from uscdr.errors import ExitCode

Captured = pytest.CaptureFixture[str]
HINT = re.compile(r"Run: (uscdr [^(\n]+?)(?: \(or: (.+)\))?$", re.MULTILINE)

GUESSES = {
    "run list": "runs list", "run resume": "runs resume", "kits list": "kit list", "snapshot list": "backup list",
    "drill run db": "drill db", "drill start database": "drill db", "drill execute infra": "drill infra",
    "man": "docs", "kit decrypt": "kit restore --into DIR", "tutorial": "docs", "whoami": "doctor",
    "restore": "recover db", "restore b001": "recover db --backup b001", "status": "runs show",
    "resume": "runs resume", "rollback": "recover app", "rollback v12": "recover app --release v12",
    "recover database": "recover db", "recover data": "recover db", "recover postgres": "recover db",
    "recover pg": "recover db", "recover all": "recover infra", "recover everything": "recover infra",
    "recover application": "recover app", "recover web": "recover app", "recover heroku": "recover app",
    "recover release": "recover app", "recover deploy": "recover app", "recover files": "recover media",
    "recover images": "recover media", "recover cloudinary": "recover media", "recover photos": "recover media",
    "recover backup": "recover backups", "recover db b001": "recover db --backup b001",
    "recover db b001 --dry-run --target sandbox": "recover db --backup b001 --dry-run --target sandbox",
    "--target sandbox recover db b001": "recover db --backup b001 --target sandbox",
    "recover infra usc-pis": "recover infra --app usc-pis", "recover media b001": "recover db --backup b001",
    "recover app v12": "recover app --release v12", "recover plan": "recover db --dry-run",
    "recover kit": "recover infra --kit newest", "recover dns": "dns rollback",
    "recover b001": "recover db --backup b001",
    "recover list": "runs list", "recover status": "runs show", "recover resume": "runs resume",
    "backups": "backup list", "backup ls": "backup list", "list": "backup list", "snapshot": "backup capture",
    "snapshots": "backup list", "dump": "backup capture", "backup create": "backup capture",
    "backup now": "backup capture", "backup take": "backup capture", "backup run": "backup capture",
    "backup restore b001": "recover db --backup b001", "backup verify": "backup prove",
    "backup verify b012": "backup prove b012", "backup download": "backup pull",
    "backup download b012": "backup pull --backup b012", "backup delete": "backup prune",
    "backup repair": "recover backups", "fix": "recover db", "repair": "recover db", "rebuild": "recover infra",
    "failover": "recover infra", "migrate": "recover app", "dr": "recover db", "logs": "runs report",
    "log": "runs report", "history": "runs list", "show": "runs show", "ps": "runs list", "abort": "runs show",
    "cancel": "runs show", "stop": "runs show", "kill": "runs show", "undo": "recover app", "check": "verify",
    "health": "verify", "test": "verify", "simulate": "drill db", "rehearse": "drill db",
    "plan": "recover db --dry-run", "apply": "recover db", "dry-run": "recover db --dry-run", "start": "recover db",
    "up": "sandbox up", "down": "sandbox down", "maintenance": "runbook db", "info": "runs show", "update": "version",
    "upgrade": "version", "uninstall": "self uninstall",
    "db": "recover db", "app": "recover app", "media": "recover media",
    "infra": "recover infra", "dns switch": "recover infra", "dns undo": "dns rollback", "kit create": "kit build",
    "kit make": "kit build", "kit ls": "kit list", "kit show": "kit card", "kit verify": "kit check",
    "kit export": "kit restore --into DIR", "incident new": "incident open --what TEXT",
    "incident create 'db down'": "incident open --what 'db down'", "incident start": "incident open --what TEXT",
    "incident end": "incident resolve", "incident contacts": "incident audience list",
    "incident postmortem": "incident review", "sandbox start": "sandbox up", "sandbox stop": "sandbox down",
    "sandbox run": "sandbox up", "sandbox logs": "sandbox audit", "runs logs": "runs report", "runs ls": "runs list",
    "runs continue": "runs resume", "runs abort": "runs show", "drill database": "drill db", "drill run": "drill db",
    "verify database": "verify db", "verify media": "verify integration", "verify application": "verify app",
    "verify homepage": "verify all homepage", "verify backup": "backup prove", "watch web": "watch app",
    "runbook database": "runbook db", "pg:backups:restore b001": "recover db --backup b001",
    "heroku pg:backups:capture": "backup capture", "releases:rollback v12": "recover app --release v12",
    "pg_restore b001": "recover db --backup b001", "pg_dump": "backup capture", "get backups": "backup list",
    "describe run": "runs show", "create snapshot": "backup capture", "delete backup b003": "backup prune",
    "restore latest": "recover db", "restore database from b001": "recover db --backup b001",
    "restore everything": "recover infra", "run drill": "drill db", "close incident": "incident close",
    "b001": "recover db --backup b001", "v12": "recover app --release v12", "prune": "backup prune",
    "prove b012": "backup prove b012", "due": "drill due", "backup prune b003": "backup prune",
    "restor b001": "recover db --backup b001", "recvoer db --dry-run": "recover db --dry-run",
    "backup lst": "backup list", "bakcup list": "backup list", "recover ifra": "recover infra",
    "sandbox statsu": "sandbox status",
    "init": "config init", "setup": "config init", "login": "help environment", "auth": "help environment",
    "configure": "config init", "diagnose": "doctor", "settings": "config show", "help restore": "recover db",
    "help recover database": "recover db", "backup help": "help backup", "verify everything": "verify all",
    "config:set A=b": "config init", "db restore b001": "recover db --backup b001", "restore-db": "recover db",
    "app rollback v12": "recover app --release v12", "backup size": "backup list", "rollback app": "recover app",
    "incident comment 'disk failed'": "incident note 'disk failed'", "watch database": "watch db",
}  # fmt: skip
HABITS = {
    "barman check": "backup status", "barman list-backup": "backup list", "barman recover main latest": "recover db",
    "barman backup main": "backup capture", "pgbackrest info": "backup list", "pgbackrest restore": "recover db",
    "pgbackrest --stanza=main restore": "recover db", "pgbackrest check": "backup status",
    "pgbackrest expire": "backup prune", "pgbackrest backup": "backup capture",
    "restic snapshots": "backup list", "restic backup": "backup capture", "restic restore latest": "recover db",
    "restic restore latest --target /tmp/x": "recover db", "restic check --read-data": "backup prove",
    "restic forget --prune": "backup prune", "restic unlock": "runs show", "restic copy": "backup pull",
    "restic key add": "kit key", "restic init": "config init", "borg extract": "backup pull",
    "wal-g backup-list": "backup list", "velero restore create": "recover db",
    "scale web=1": "runbook db", "ps:scale web=1": "runbook db", "kubectl scale --replicas=1 web": "runbook app",
    "keygen": "kit key", "age-keygen": "kit key", "key generate": "kit key", "kit keygen": "kit key",
    "heroku pg:backups": "backup list", "heroku pg:backups:download": "backup pull", "heroku ps": "verify app",
    "heroku releases:rollback v12": "recover app --release v12", "heroku maintenance:on": "runbook db",
    "heroku config": "config show", "heroku run bash": "runbook app", "heroku restart": "recover app",
    "heroku logs --tail": "runs report", "heroku addons": "recover infra", "heroku certs": "verify integration",
    "gh run list": "runs list", "gh run view": "runs show", "gh run watch": "runs show --follow",
    "gh issue create": "incident open --what TEXT", "gh auth login": "help environment",
    "terraform plan": "recover db --dry-run", "terraform apply": "recover db", "terraform init": "config init",
    "terraform validate": "config check", "terraform destroy": "sandbox down", "terraform show": "runs show",
    "kubectl get backups": "backup list", "kubectl describe run": "runs show", "kubectl rollout undo": "recover app",
    "kubectl logs -f web": "verify app", "kubectl config view": "config show",
    "kubectl delete backup b3": "backup prune",
    "systemctl status": "runs show", "systemctl restart web": "recover app", "systemctl stop": "runs show",
    "journalctl -f": "runs report", "docker ps": "runs list", "docker-compose up": "sandbox up",
    "git revert HEAD": "recover app", "git checkout b001": "recover db --backup b001", "git push": "recover app",
    "git log": "runs report", "sudo uscdr recover db b001": "recover db --backup b001",
    "uscdr recover db": "recover db",
    "config get": "config show", "config list": "config show", "config edit": "config path",
    "config set a b": "config path",
    "database is down": "recover db", "the database is gone": "recover db", "everything is gone": "recover infra",
    "app gone": "recover infra", "lost files": "recover media", "emergency": "verify", "what now": "verify",
    "where am i": "runs show", "what happened": "runs report", "recover media --folder x": "recover media --from x",
}  # fmt: skip
"""What people type who come from another tool, or from nowhere."""
OPTIONS = {
    "runs list -o yaml": "runs list --json", "backup list --format json": "backup list --json",
    "recover db --back-up b001": "recover db --backup b001", "recover db --back-up=b001": "recover db --backup=b001",
    "recover db --dryrun": "recover db --dry-run", "recover db -n": "recover db --dry-run",
    "recover db --plan-only": "recover db --dry-run", "recover db --check": "recover db --dry-run",
    "recover app --dryrun --release v12": "recover app --dry-run --release v12",
    "recover db --tarket sandbox": "recover db --target sandbox", "--jsno runs list": "--json runs list",
    "recover db --snapshot b001": "recover db --backup b001", "recover app --version-id v1": "recover app --help",
    "recover db --kit x": "recover media --help", "recover app --backup b001": "recover db --help",
    "recover --dry-run": "recover db --help", "recover db --env sandbox": "recover db --target sandbox",
    "kit check --key key.txt": "kit check --identity key.txt", "runs list -o json": "runs list --json",
    "recover db --backup": "recover db --backup BACKUP", "recover db --json=yes": "recover db --json",
    "recover infra --kit": "recover infra --kit newest",
    "incident open --title 'db down'": "incident open --what 'db down'",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEROKU_API_KEY", "USCDR_CONFIG", "USCDR_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def answer(words: str, capsys: Captured) -> tuple[str, list[str]]:
    """The command that the error leads to, and the others that it names."""
    assert main.run(shlex.split(words)) == ExitCode.BAD_INPUT
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Usage:" not in shown.err
    (found,) = HINT.findall(shown.err)
    return found[0].removeprefix("uscdr "), [one.removeprefix("uscdr ") for one in found[1].split(", ") if one]


@pytest.mark.parametrize(("words", "wanted"), [*GUESSES.items(), *HABITS.items()])
def test_a_guess_is_answered_with_a_command_that_exists(words: str, wanted: str, capsys: Captured) -> None:
    command, others = answer(words, capsys)
    assert command == wanted
    for one in (command, *others):
        parsed(shlex.split(one))


@pytest.mark.parametrize(("words", "wanted"), OPTIONS.items())
def test_a_wrong_option_is_answered_with_the_right_one(words: str, wanted: str, capsys: Captured) -> None:
    command, _ = answer(words, capsys)
    assert command == wanted


@pytest.mark.parametrize("option", ["--yes", "-y", "--force", "-f", "--auto-approve", "--non-interactive"])
@pytest.mark.parametrize("command", ["recover db", "recover db --dry-run", "dns rollback"])
def test_there_is_no_yes_but_a_phrase(option: str, command: str, capsys: Captured) -> None:
    assert main.run([*command.split(), option]) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    bare = command.replace(" --dry-run", "")
    assert f"Get the phrase: uscdr {bare} --dry-run\n" in said
    assert f"Then: uscdr {bare} --confirm PHRASE" in said


SINGLE = [
    (path, one.opts[-1]) for path, command in every() if not hasattr(command, "commands") for one in command.params
    if one.param_type_name == "option" and not one.is_flag and not one.multiple
]  # fmt: skip


@pytest.mark.parametrize(("path", "option"), SINGLE)
def test_an_option_of_one_value_is_given_once(path: tuple[str, ...], option: str, capsys: Captured) -> None:
    assert main.run([*path, option, "1", f"{option}=1"]) == ExitCode.BAD_INPUT
    assert f"{option} is given twice." in capsys.readouterr().err


def test_what_may_be_repeated_may_be_repeated() -> None:
    parsed(shlex.split("kit build --recipient a --recipient b --without media --without dump -v -v"))


def test_an_option_of_another_command_says_where_it_belongs(capsys: Captured) -> None:
    assert main.run(["recover", "db", "--kit", "x"]) == ExitCode.BAD_INPUT
    assert "--kit belongs to uscdr recover media, uscdr recover infra" in capsys.readouterr().err


def test_a_hint_keeps_the_target_and_the_configuration(capsys: Captured) -> None:
    command, others = answer("--target sandbox --config my.yaml statsu", capsys)
    assert command == "runs show --target sandbox --config my.yaml"
    assert others[-1] == "--config my.yaml --target sandbox verify"
    assert main.run(["--target", "sandbox", "--json", "runs", "show"]) == ExitCode.BAD_INPUT
    said = json.loads(capsys.readouterr().out)["error"]["next_action"]
    assert said == "Start with: uscdr --target sandbox recover db --dry-run"


def test_others_that_may_be_meant_are_in_the_same_sentence(capsys: Captured) -> None:
    assert answer("status", capsys)[1] == ["backup status", "incident status", "verify"]
    assert answer("rollback", capsys)[1] == ["dns rollback"]


@pytest.mark.parametrize("words", ["sandbox break", "kit restore", "incident open", "drill record"])
def test_what_is_missing_is_named_with_an_example(words: str, capsys: Captured) -> None:
    assert main.run(words.split()) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert f"uscdr {words} needs " in said
    assert f"For example: uscdr {words} " in said


@pytest.mark.parametrize("words", ["frobnicate", "recover frobnicate"])
def test_where_nobody_can_guess_there_is_the_help(words: str, capsys: Captured) -> None:
    group = words.rpartition(" ")[0]
    assert answer(words, capsys)[0] == f"{group} --help".strip()


def test_with_json_a_hint_is_one_object(capsys: Captured) -> None:
    assert main.run(["restore", "b001", "--json"]) == ExitCode.BAD_INPUT
    shown = capsys.readouterr()
    error = json.loads(shown.out)["error"]
    assert (error["kind"], error["next_action"]) == ("BadInput", "Run: uscdr recover db --backup b001 --json")
    assert shown.err == ""


def test_a_wrong_value_is_told_in_our_words(capsys: Captured) -> None:
    assert main.run(["kit", "check", "--minimum", "many"]) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert "--minimum: “many” is not a valid" in said
    assert "Usage" not in said


WANTED = sorted(
    {
        *PAIRS.values(),
        *WITHIN.values(),
        *(one for many in (*ALONE.values(), *WORDS.values(), *PHRASES.values()) for one in many),
    }
)
FUTURE = {"completion bash"}
"""Commands that are named only where they exist."""


@pytest.mark.parametrize("command", WANTED)
def test_every_answer_of_the_tables_can_be_pasted(command: str) -> None:
    root = parsed(["version"]).find_root()
    if exists(root, command) or command not in FUTURE:
        parsed(shlex.split(completed(root, command, [], [])))


def test_the_tables_fit_each_other() -> None:
    verbs, things = {*VERBS.values(), ""}, {*OBJECTS.values(), ""}
    assert {verb for verb, _ in PAIRS} <= verbs
    assert {thing for _, thing in PAIRS} <= things
    assert set(ALONE) == set(VERBS.values())
    assert set(NOTES) <= set(ALONE)
    assert {one for one in TOOLS.values() if one} <= VERBS.keys() | OBJECTS.keys()
    assert {meaning for _, meaning in WITHIN} <= verbs | things
    assert all(verb in verbs and thing in things for verb, thing in GROUPS.values())
    groups = {path[-1] for path, command in every() if path and hasattr(command, "commands")}
    assert groups == set(GROUPS)


@pytest.mark.parametrize("verb", sorted({*VERBS}))
def test_every_verb_is_answered(verb: str, capsys: Captured) -> None:
    names = {path[0] for path, _ in every() if path}
    if verb not in names:
        parsed(shlex.split(answer(verb, capsys)[0]))


@pytest.mark.parametrize("thing", sorted({*OBJECTS}))
@pytest.mark.parametrize("verb", ["restore", "list", "check"])
def test_every_verb_of_every_object_is_answered(verb: str, thing: str, capsys: Captured) -> None:
    command = answer(f"{verb} {thing}", capsys)[0]
    assert "--help" not in command
    parsed(shlex.split(command))


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("sandbox break", "For example: uscdr sandbox break db --how drop-table"),
        ("sandbox break app", "For example: uscdr sandbox break app --how bad-release"),
        ("sandbox break infra", "Run: uscdr sandbox break infra --how KIND."),
        ("--target sandbox drill record", "Run: uscdr --target sandbox drill record NAME."),
    ],
)
def test_what_is_lacking_is_shown_for_what_was_typed(typed: str, wanted: str, capsys: Captured) -> None:
    assert main.run(typed.split()) == 2
    assert wanted in " ".join(capsys.readouterr().err.split())
