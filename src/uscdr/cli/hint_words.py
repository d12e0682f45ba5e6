"""What people call things: verbs and objects of other tools, and the command that each pair of them means here."""

from __future__ import annotations

from collections.abc import Mapping


def _by_word(synonyms: Mapping[str, str]) -> dict[str, str]:
    """Every synonym -> what it means; each meaning is a synonym of its own."""
    return {word: meaning for meaning, words in synonyms.items() for word in (meaning, *words.split())}


VERBS = _by_word({
    "recover": "restore recovery rescue dr undelete import load pg_restore pgrestore replay pitr salvage reload "
               "failover fail-over failback fail-back cutover cut-over switchover relocate evacuate reinstate undrop",
    "repair": "fix heal mend rebuild reconstruct recreate reprovision provision remediate unbreak correct",
    "migrate": "migration migrations migrate-db",
    "rollback": "roll-back rolback undo revert downgrade backout back-out unrelease unswitch",
    "resume": "continue retry proceed rerun re-run carry-on finish-run unpause",
    "list": "ls size sizes count ll dir index find search lst enumerate get",
    "show": "info describe inspect view cat details detail display print look explain open-run",
    "status": "state st stat stats overview summary dashboard top ps progress current watch-run watch follow poll",
    "log": "logs journal history events tail trail activity hist timeline",
    "capture": "snapshot create make take new dump pg_dump pgdump pg_dumpall save snap now begin-backup basebackup "
               "freeze add generate",
    "pull": "download fetch copy cp sync offload archive replicate export extract mirror decrypt",
    "prune": "delete remove rm forget expire clean cleanup gc purge retention rotate drop erase unlink tidy reset wipe",
    "schedule": "cron automate timer crontab unschedule calendar next",
    "abort": "cancel stop kill halt terminate interrupt quit pause ctrl-c unlock break-lock",
    "check": "verify test validate health healthcheck health-check smoke probe ping diagnose lint scrub fsck ready "
             "doctor monitor assert prove checks checklist checklists tests selftest triage",
    "plan": "dry-run dryrun preview diff what-if whatif noop estimate forecast",
    "apply": "run exec execute go perform do trigger launch proceed-with",
    "start": "up boot spin-up begin open declare raise init-sandbox",
    "end": "down shutdown destroy teardown tear-down finish done complete",
    "close": "closed",
    "push": "upload publish put send-off",
    "rehearse": "simulate practice practise rehearsal gameday game-day chaos tabletop train training exercise "
                "exercises simulation emulate drills",
    "notify": "announce tell message email alert page broadcast inform sms call escalate comms communicate",
    "setup": "init initialize initialise configure config configuration settings onboard bootstrap install edit-config "
             "set doctor-config profile",
    "login": "key keys auth authenticate logout signin sign-in token credentials credential whoami secrets "
             "password creds authorize env-vars envs shell vars variables",
    "upgrade": "update self-update selfupdate uninstall reinstall",
    "maintenance": "maint drain quarantine readonly read-only",
    "scale": "autoscale resize dyno-scale dynos:scale",
    "note": "comment remark annotate write-note",
    "review": "postmortem post-mortem retro retrospective lessons",
    "damage": "break inject corrupt crash fail",
    "report": "reports export-report evidence pdf",
    "restart": "reboot bounce redeploy rollout promote ship",
    "assign": "todo todos task-list followup followups follow-up follow-ups action",
})  # fmt: skip
"""A verb of restic, gh, terraform, heroku, kubectl, pg_dump or barman -> ours."""

OBJECTS = _by_word({
    "db": "database databases data postgres postgresql pg psql sql table tables records record row rows schema "
          "heroku-postgres patients dbs",
    "app": "apps application applications web heroku release releases deploy deployment deployments code site website "
           "dyno dynos service services backend frontend server servers worker workers slug build django api process "
           "processes version-of-app pod pods",
    "media": "files file images image cloudinary photos photo uploads upload-files assets asset attachments documents "
             "pictures storage blobs object-storage",
    "infra": "infrastructure all everything whole full platform region account stack environment total complete-loss "
             "system datacenter site-loss addon addons add-on add-ons",
    "backup": "backups snapshot snapshots copies dumps bkp bak basebackups pgbackups restore-point restore-points "
              "repository repo vault",
    "run": "runs recoveries job jobs task tasks operation operations execution executions session sessions lock locks",
    "kit": "kits escape-kit escapekit bundle escape",
    "dns": "domain domains hostname zone cname switch nameserver record-set",
    "incident": "incidents outage outages issue issues ticket event alerts",
    "drill": "drill-run",
    "sandbox": "emulator lab playground staging-env mock simulator",
    "runbook": "tutorial howto playbook playbooks docs doc manual manuals man procedure procedures "
               "instructions guide wiki steps documentation runbooks",
    "audience": "contacts contact recipients people users team stakeholders oncall on-call who",
    "integration": "integrations redis mail smtp broker celery certificate tls ssl mails dependencies certs cert",
    "schedule": "schedules crons",
})  # fmt: skip
"""A thing, by other names -> ours."""

_BY_OBJECT: dict[str, dict[str, str]] = {
    "backup": {
        "recover backups": "repair",
        "recover db": "recover rollback",
        "backup capture": "capture apply start",
        "backup list": "list show log end -",
        "backup status": "status report",
        "backup prove": "check",
        "drill backups": "rehearse",
        "backup pull": "pull push",
        "backup prune": "prune",
        "backup schedule": "schedule",
        "backup schedule --apply": "setup",
        "recover backups --dry-run": "plan",
    },
    "run": {
        "runs list": "list - prune",
        "runs show": "show status abort end check plan",
        "runs report": "log report",
        "runs resume": "resume apply start recover repair restart",
        "recover app": "rollback",
    },
    "db": {
        "runs report": "log",
        "recover db": "- recover repair rollback apply start end restart",
        "backup list": "list",
        "verify db": "show status check",
        "backup capture": "capture",
        "backup pull": "pull push",
        "recover db --dry-run": "plan",
        "drill db": "rehearse",
        "recover app": "migrate",
        "backup schedule": "schedule",
        "sandbox break db --how drop-table": "damage",
    },
    "app": {
        "recover app": "- recover repair rollback start apply restart push end",
        "recover app --dry-run": "list plan",
        "verify app": "status show check log",
        "drill app": "rehearse",
        "recover infra": "migrate capture",
        "runbook app": "scale",
        "sandbox break app --how bad-release": "damage",
    },
    "media": {
        "recover media": "- recover repair rollback end",
        "verify integration": "check status list show",
        "kit build": "capture pull push",
        "recover media --dry-run": "plan",
        "drill media": "rehearse",
        "sandbox break media --how deleted": "damage",
    },
    "infra": {
        "recover infra": "- recover repair migrate end",
        "dns rollback": "rollback",
        "verify": "check status show",
        "kit list": "list",
        "kit build": "capture pull",
        "recover infra --dry-run": "plan",
        "drill infra": "rehearse",
        "sandbox break infra --how app-gone": "damage",
    },
    "kit": {
        "kit list": "- list prune log",
        "kit build": "capture apply start repair upgrade push",
        "kit restore": "pull",
        "kit card": "show report",
        "kit check": "check status plan",
        "recover infra --kit newest": "recover",
    },
    "dns": {
        "dns rollback": "- rollback recover repair",
        "dns rollback --dry-run": "plan",
        "verify": "check list show status",
        "recover infra": "apply upgrade",
    },
    "incident": {
        "incident status": "- log show status",
        "incident open": "capture start apply",
        "incident resolve": "end abort repair recover",
        "incident list": "list",
        "incident notify": "notify",
        "drill comms": "rehearse",
        "incident note": "note",
        "incident update": "upgrade resume",
        "incident check": "check",
        "incident review": "review",
        "incident report": "report pull",
        "incident actions": "assign",
        "incident close": "prune close",
    },
    "drill": {
        "drill db": "- apply start capture rehearse",
        "drill list": "list log show report",
        "drill due": "status schedule check",
        "drill comms": "notify",
        "drill record": "note end",
    },
    "sandbox": {
        "sandbox status": "- status list show check",
        "sandbox up": "start capture apply setup restart resume",
        "sandbox down": "end abort prune",
        "sandbox audit": "log",
        "sandbox break db --how drop-table": "damage",
        "sandbox env": "login",
        "drill db": "rehearse",
        "recover db --target sandbox": "recover",
    },
    "runbook": {"runbook": "-"},
    "audience": {
        "incident audience list": "- list show status",
        "incident audience add": "capture",
        "incident audience remove": "prune",
        "incident audience import": "recover pull upgrade",
        "incident notify": "notify",
    },
    "integration": {"verify integration": "-"},
    "schedule": {"backup schedule": "- list show", "backup schedule --apply": "capture"},
}
"""By object: a command, and the verbs that mean it; `-`: the object alone."""


def _pairs(table: Mapping[str, Mapping[str, str]]) -> dict[tuple[str, str], str]:
    return {
        (key, "" if word == "-" else word): command
        for key, commands in table.items()
        for command, words in commands.items()
        for word in words.split()
    }


PAIRS = {(verb, thing): command for (thing, verb), command in _pairs(_BY_OBJECT).items()}
"""The command for a verb and an object; `""`: the object alone. For other pairs the object alone decides."""

ALONE: dict[str, tuple[str, ...]] = {
    "recover": ("recover db", "recover app", "recover media", "recover infra"),
    "repair": ("recover db", "recover app", "recover media", "recover infra", "verify"),
    "migrate": ("recover app", "recover infra"),
    "rollback": ("recover app", "dns rollback"),
    "resume": ("runs resume", "runs list"),
    "list": ("backup list", "runs list", "kit list", "incident list"),
    "show": ("runs show", "incident status", "kit card"),
    "status": ("runs show", "backup status", "incident status", "verify"),
    "log": ("runs report", "runs list", "incident status"),
    "capture": ("backup capture", "kit build"),
    "pull": ("backup pull", "kit build"),
    "prune": ("backup prune",),
    "schedule": ("backup schedule", "drill due"),
    "abort": ("runs show", "runs resume"),
    "check": ("verify", "backup status", "kit check"),
    "plan": ("recover db --dry-run", "recover app --dry-run", "recover infra --dry-run"),
    "apply": ("recover db", "recover app", "runs resume"),
    "start": ("recover db", "sandbox up", "incident open"),
    "end": ("incident resolve", "sandbox down"),
    "close": ("incident close", "incident resolve"),
    "push": ("backup pull", "kit build"),
    "rehearse": ("drill db", "drill due", "sandbox up"),
    "notify": ("incident notify", "drill comms"),
    "setup": ("config init", "doctor", "help environment"),
    "login": ("help environment",),
    "upgrade": ("version", "incident update"),
    "maintenance": ("runbook db", "recover app"),
    "scale": ("runbook db", "verify app"),
    "note": ("incident note",),
    "review": ("incident review",),
    "damage": ("sandbox break db --how drop-table", "drill db"),
    "report": ("incident report", "runs report"),
    "restart": ("recover app", "verify app"),
    "assign": ("incident actions",),
}
"""The commands for a verb alone, the likeliest first."""

_KEYS = ("kit key", "docs kit")
_LOST = ("verify", "recover db", "recover app", "recover infra")
PHRASES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("keygen", "age-keygen", "ssh-keygen", "kit keys", "kit keygen", "restic key"), _KEYS),
    **dict.fromkeys(("key generate", "keys generate", "generate key", "generate keys", "create key", "new key",
                     "make key", "key new", "key create", "key add", "keys add"), _KEYS),
    **dict.fromkeys(("emergency", "urgent", "sos", "panic", "disaster", "what now", "now what"), _LOST),
    **dict.fromkeys(("app gone", "application gone", "app is gone", "the app is gone", "app deleted", "account locked",
                     "account suspended", "heroku is gone"), ("recover infra", "verify app")),
    **dict.fromkeys(("where am i", "what is running"), ("runs show", "runs list")),
    "what happened": ("runs report", "incident status"),
    **dict.fromkeys(("barman check", "pgbackrest check", "restic stats"), ("backup status", "backup prove")),
    **dict.fromkeys(("barman backup", "restic backup", "pgbackrest backup"), ("backup capture", "backup pull")),
    "restic init": ("config init",),
    "restic snapshots": ("backup list",),
    "restic unlock": ("runs show", "runs resume"),
    "gh run view": ("runs show",),
    "gh run watch": ("runs show --follow",),
    **dict.fromkeys(("config edit", "config set", "config file"), ("config path", "config check")),
    **dict.fromkeys(("terraform validate", "terraform fmt"), ("config check",)),
    "terraform output": ("runs report",),
    **dict.fromkeys(("destroy", "terraform destroy", "teardown", "tear-down"), ("sandbox down", "self uninstall")),
    "ps:scale": ("runbook db", "verify app"),
    "heroku ps": ("verify app",),
    **dict.fromkeys(("heroku run", "kubectl exec", "ssh", "exec", "shell"), ("runbook app",)),
    "heroku config": ("config show", "help environment"),
    **dict.fromkeys(("git push", "git reset"), ("recover app",)),
    "git pull": ("version",),
    **dict.fromkeys(("systemctl stop", "service stop"), ("runs show",)),
    **dict.fromkeys(("systemctl start", "systemctl restart"), ("recover app", "verify app")),
}  # fmt: skip
"""What whole words at the beginning mean, where their parts would mislead; the others are values."""

_BACKUP_TOOLS = "restic barman pgbackrest borg borgmatic duplicity wal-g walg velero pgbackups"
_OTHER_TOOLS = (
    "heroku gh git terraform tofu kubectl oc helm systemctl service docker docker-compose compose aws az gcloud "
    "ansible sudo uscdr ./uscdr the"
)
TOOLS = {
    **dict.fromkeys(_BACKUP_TOOLS.split(), "backups"),
    **dict.fromkeys(_OTHER_TOOLS.split(), ""),
    "journalctl": "logs",
}
"""Other programs whose command line people type out of habit: the word that their name stands for."""

WORDS: dict[str, tuple[str, ...]] = {
    "up": ("sandbox up", "verify"),
    "down": ("sandbox down", "incident open"),
    "uninstall": ("self uninstall",),
    "configuration": ("config show", "config path"),
    "settings": ("config show", "help environment"),
    "docs": ("docs",),
    "documentation": ("docs",),
    "manual": ("docs", "help"),
    "man": ("docs", "runbook"),
    "tutorial": ("docs", "runbook"),
    "whoami": ("doctor", "help environment"),
    "selftest": ("doctor",),
    "diagnose": ("doctor", "verify"),
    "dump": ("backup capture", "backup pull"),
    "snapshot": ("backup capture", "backup list"),
    "snapshots": ("backup list", "backup capture"),
    "ps": ("runs list", "verify app"),
    "history": ("runs list", "runs report"),
    "test": ("verify", "drill db"),
    "env": ("help environment", "sandbox env"),
    "dr": ("recover db", "recover infra", "drill db"),
    "failover": ("recover infra", "dns rollback"),
    "rebuild": ("recover infra", "recover db"),
    "restore": ("recover db", "recover app", "recover media", "recover infra"),
    "rollback": ("recover app", "dns rollback"),
    "update": ("version", "incident update"),
    "remove": ("backup prune",),
    "show": ("runs show", "incident status", "kit card"),
    "import": ("recover db", "incident audience import"),
    "metrics": ("backup status", "watch"),
    "run": ("recover db", "recover app", "runs resume"),
    "completions": ("completion bash",),
    "autocomplete": ("completion bash",),
    "complete": ("completion bash",),
    "exit-codes": ("help exit-codes",),
    "environment": ("help environment", "recover infra"),
    "dates": ("help dates",),
    "version-info": ("version",),
    "monitor": ("watch", "backup status"),
    "next": ("drill due", "runs show"),
    "calendar": ("drill due",),
    "timeline": ("incident status", "runs report"),
}
"""Single words whose likeliest meaning at the root is not that of their verb or object."""

GROUPS = {
    "recover": ("recover", ""),
    "backup": ("", "backup"),
    "runs": ("", "run"),
    "drill": ("", "drill"),
    "kit": ("", "kit"),
    "dns": ("", "dns"),
    "incident": ("", "incident"),
    "audience": ("", "audience"),
    "sandbox": ("", "sandbox"),
    "fault": ("", "sandbox"),
    "config": ("", ""),
    "self": ("", ""),
}
"""What a group's name says: a verb or an object."""
_BY_GROUP: dict[str, dict[str, str]] = {
    "recover": {
        "recover backups": "backup",
        "recover infra --kit newest": "kit",
        "dns rollback": "dns",
        "verify integration": "integration",
        "recover db --dry-run": "plan",
    },
    "drill": {
        "drill db": "db",
        "drill app": "app",
        "drill media": "media",
        "drill infra": "infra kit",
        "drill backups": "backup",
        "drill comms": "incident",
    },
    "dns": {"recover infra": "dns"},
    "incident": {"incident audience list": "audience", "incident actions": "run", "incident update": "resume"},
    "backup": {"backup capture": "db backup", "kit build": "infra media app kit"},
    "sandbox": {
        "sandbox break db --how drop-table": "db",
        "sandbox break app --how bad-release": "app",
        "sandbox break media --how deleted": "media",
        "sandbox break infra --how app-gone": "infra",
    },
    "fault": {
        "sandbox fault add": "capture start damage",
        "sandbox fault clear": "prune end",
        "sandbox fault list": "list show status",
    },
    "kit": {
        "kit list": "kit",
        "kit restore --part dump": "db",
        "kit restore --part media": "media",
        "kit build": "backup",
        "recover infra --kit newest": "rollback",
    },
    "config": {
        "config show": "list show log status login",
        "config check": "check plan",
        "config init": "capture setup",
    },
}
"""By group: a command, and the meanings that the word after the group must have."""
WITHIN = _pairs(_BY_GROUP)
"""The command for a group and the meaning of the word after it, where that is not what the pair of both means."""
NOTES = {
    "abort": "A run stops with Ctrl-C at its terminal, and can be resumed.",
    "login": "uscdr takes credentials from the environment.",
    "setup": "uscdr reads scenarios.yaml and the environment.",
    "upgrade": "uscdr is upgraded and removed as it was installed, by uv, pipx or pip.",
    "maintenance": "A recovery enables and disables maintenance mode itself. The runbook has the manual commands.",
    "restart": "A recovery restarts the processes.",
    "scale": "A recovery scales the processes itself. The runbook has the manual commands.",
}
"""A sentence before the command, by verb."""
_FILLERS = (
    "a an the to from of for on in into with my our please at and is as by are am i me it lost gone missing broken dead"
)
FILLERS = frozenset(_FILLERS.split())
"""Words that say nothing here."""
NEWEST = frozenset("newest latest last recent most-recent newest-backup head".split())  # noqa: SIM905
"""Words for what every command takes anyway."""
