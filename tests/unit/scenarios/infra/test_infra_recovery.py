"""`recover infra` over places in memory: what is shown, what is refused, what must never be."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lost_place import Recovery, advice, alive, end_state, ended, lost, sent, without_database
from pydantic import SecretStr

from fake_deploys import FakeSource, add_release
from fake_names import OLD
from fake_places import HOST
from fakes import World
from rehearsal import Person
from uscdr.errors import ExitCode
from uscdr.kit.content import ConfigVars
from uscdr.models.dns import Caution
from uscdr.models.heroku import AddOn, Attachment, Belongings, LogDrain
from uscdr.models.migrations import Lack
from uscdr.models.postgres import LeftOut
from uscdr.scenarios.adapters import Request

DONE, FAILED, CHECK, BAD, DECLINED = (
    ExitCode.DONE, ExitCode.FAILED, ExitCode.CHECK_FAILED, ExitCode.BAD_INPUT, ExitCode.DECLINED,
)  # fmt: skip
NEW = "usc-pis-recovery"


def summary(run: Recovery, step: str) -> str:
    """What the newest plan says of one step."""
    lines = run.events("plan.ready")[-1]["steps"]
    return str(next(line["summary"] for line in lines if line["id"] == step))


@pytest.mark.parametrize("case", [lost, alive, without_database])
def test_a_dry_run_writes_nothing_and_prints_a_phrase_that_then_confirms(case: object, quick: Path) -> None:
    run: Recovery = case(quick)  # type: ignore[operator]
    phrase = run.phrase()
    assert run.places.writes == []
    assert re.fullmatch(r"\S+ ([ab]\d+|kit [0-9a-f]{6}) \d+ rows", phrase)
    run.person = Person(interactive=False)
    assert ended(run.begin(confirm=phrase)) == (DONE, "")


def test_it_is_the_old_place_again_but_for_what_must_differ(quick: Path) -> None:
    run = lost(quick)
    assert ended(run.begin()) == (DONE, "")
    end, kept = end_state(run), run.kit.variables.values if run.kit and run.kit.variables else {}
    config = dict(end["config"])  # type: ignore[call-overload]
    changed = {name for name, value in kept.items() if config.get(name) != value.get_secret_value()}
    assert changed == {"DATABASE_URL", "REDIS_URL", "SITE_URL", "ALLOWED_HOSTS"}
    assert config["PGP_ENCRYPTION_KEY"] == "key"
    assert end["live"] == {name: dict(rows) for name, rows in run.places.old.dumps[1].tables.items()}
    assert end["formation"] == {"web": 2, "worker": 3, "beat": 1}
    assert end["wrongs"] == []
    assert run.events("run.finished")[-1]["left"] == {}


def test_a_build_that_does_not_get_everything_is_named_before_it_is_agreed_to(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeSource, "lacks", (Lack(path="backend/codes.csv", what="Git LFS pointer"),))
    run = alive(quick)
    run.begin()
    assert "WITHOUT THE CONTENT OF backend/codes.csv (Git LFS pointer)" in run.events("gate.asked")[0]["facts"]["code"]


BY_HAND = {
    "BROKER": "redis://u:p@h/usc-pis", "REPORTING_DSN": "postgresql://u:p@h/usc-pis?sslmode=require",
    "POOLED": "postgres://somebody:p@h/usc-pis", "WAREHOUSE": "postgres://a:b@warehouse.example/w",
}  # fmt: skip


@pytest.mark.parametrize("case", [lost, alive])
def test_what_names_the_old_add_ons_is_said_before_the_phrase_and_never_copied(
    case: Callable[[Path], Recovery], quick: Path
) -> None:
    run = case(quick)
    run.places.old.values |= BY_HAND
    assert run.kit is not None
    assert run.kit.variables is not None
    hidden = {name: SecretStr(value) for name, value in BY_HAND.items()}
    run.kit.variables = ConfigVars(values={**run.kit.variables.values, **hidden})
    run.phrase()
    told = summary(run, "materials")
    assert "rewritten to the new addresses: BROKER, REPORTING_DSN, SITE_URL" in told
    assert "NOT set: POOLED (an address of heroku-postgresql-usc-pis-1 that cannot be rewritten exactly)" in told
    assert "LOOK AT: WAREHOUSE (copied unchanged" in told
    assert ended(run.begin()) == (DONE, "")
    config = run.places.apps[NEW].config_values
    assert config["BROKER"] == "redis://u:p@h/usc-pis-recovery" == config["REDIS_URL"]
    assert "variables (POOLED): heroku config:set" in run.events("run.finished")[-1]["left"]["not brought back"]
    assert config["REPORTING_DSN"] == "postgresql://u:p@h/usc-pis-recovery?sslmode=require"
    assert "POOLED" not in config
    assert config["WAREHOUSE"] == BY_HAND["WAREHOUSE"]
    assert "u:p@h" not in run.journal_path.read_text()


def test_in_place_the_kit_knows_what_the_lost_add_ons_addresses_were(quick: Path) -> None:
    run = without_database(quick)
    gone = "redis://:pgone1234567890@gone.example:1234"
    old, there = run.places.old, "redis://u:p@h/usc-pis"
    old.values |= {"BROKER": f"{gone}/1", "ODD": "a note of pgone1234567890", "LIVING": there}
    kept = {"REDIS_URL": SecretStr(gone)}
    assert run.kit is not None
    assert run.kit.variables is not None
    assert run.kit.facts is not None
    former = [one.model_copy(update={"id": f"former-{one.id}"}) for one in run.kit.facts.addons]
    run.kit.facts = run.kit.facts.model_copy(update={"addons": tuple(former), "attachments": ()})
    run.kit.variables = ConfigVars(values={**run.kit.variables.values, **kept})
    run.phrase()
    told = summary(run, "materials")
    assert "rewritten to the new addresses: BROKER;" in told
    assert "LIVING" not in told
    assert "NOT changed: ODD (an address of heroku-redis-usc-pis-1 that cannot be rewritten exactly)" in told
    assert ended(run.begin()) == (DONE, "")
    assert old.values["BROKER"] == "redis://u:p@h:6379/1"
    assert (old.values["ODD"], old.values["LIVING"]) == ("a note of pgone1234567890", there)


def test_another_application_that_uses_the_old_database_is_said_to_go_on_with_it(quick: Path) -> None:
    run = alive(quick)
    addon = run.places.old.addons[0]
    run.places.sharing = [
        Attachment(
            name="CLINIC", app_name="billing", addon_id=addon.id, addon_name=addon.name, owner_app_name="usc-pis"
        )
    ]
    run.phrase()
    said = f"billing (as CLINIC) keeps using the OLD {addon.name}, and its dynos are NOT stopped"
    assert said in summary(run, "scope")
    assert said in summary(run, "decide")
    run.places.faults["attachments_of", 1 + run.places.calls["attachments_of"]] = "refused"
    run.phrase()
    assert f"who else uses {addon.name} is NOT known" in summary(run, "scope")


@pytest.mark.parametrize("case", [lost, alive])
def test_a_second_database_is_named_and_its_variable_is_nobodys(case: Callable[[Path], Recovery], quick: Path) -> None:
    run = case(quick)
    assert run.kit is not None
    assert run.kit.facts is not None
    assert run.kit.variables is not None
    second = AddOn(
        id="pg-9", name="postgresql-flat-9", state="provisioned", plan="heroku-postgresql:standard-0",
        app_name="usc-pis", config_vars=("ANALYTICS_URL",),
    )  # fmt: skip
    run.places.old.addons.insert(0, second)
    run.kit.facts = run.kit.facts.model_copy(update={"addons": (second, *run.kit.facts.addons)})
    hidden = {"ANALYTICS_URL": SecretStr("postgres://u9:p9@h9/d9")}
    run.kit.variables = ConfigVars(values={**run.kit.variables.values, **hidden})
    run.phrase()
    named = "postgresql-flat-9 (heroku-postgresql:standard-0, ANALYTICS_URL)"
    assert f"NOT created again, by hand if needed: {named}" in summary(run, "scope")
    told = summary(run, "materials")
    assert f"NOT set: ANALYTICS_URL (of {named}, which is not ordered again)" in told
    assert "ANALYTICS_URL" not in told.partition("set by add-ons: ")[2].partition(";")[0]
    assert "heroku-postgresql:essential-0" in summary(run, "decide")
    assert ended(run.begin()) == (DONE, "")
    assert "ANALYTICS_URL" not in run.places.apps[NEW].config_values


def test_no_value_of_the_config_is_in_the_journal(quick: Path) -> None:
    run = lost(quick)
    assert run.kit is not None
    assert run.kit.variables is not None
    secret = {"SECRET_KEY": "canary-4711", "GMAIL_REFRESH_TOKEN": "canary-4712"}
    values = {**run.kit.variables.values, **{name: type(value)(secret[name]) for name in secret
              for value in [run.kit.variables.values[name]]}}  # fmt: skip
    run.kit.variables = ConfigVars(values=values)
    assert ended(run.begin()) == (DONE, "")
    assert run.places.apps[NEW].values["SECRET_KEY"] == "canary-4711"
    assert "canary" not in run.journal_path.read_text()


def test_the_plan_names_every_write_before_it_can_be_made(quick: Path) -> None:
    run = lost(quick)
    run.phrase()
    lines = {line["id"]: line["calls"] for line in run.events("plan.ready")[-1]["steps"]}
    for step in ("people", "drains", "unsilence", "schedule", "config"):
        assert any(call["writes"] for call in lines[step]), step


def drain(host: str, **more: Any) -> LogDrain:
    return LogDrain(id=host, host=host, url=SecretStr(f"https://u:canary-drain@{host}/in"), **more)


@pytest.mark.parametrize("case", [lost, alive])
def test_the_log_goes_where_it_went_and_no_address_is_told(case: Callable[[Path], Recovery], quick: Path) -> None:
    run = case(quick)
    assert run.kit is not None
    assert run.kit.facts is not None
    by_addon = drain("addon.example", addon="papertrail-round-1")
    drains = (drain("logs.example"), by_addon, LogDrain(id="x", host="old.example"))
    run.places.old.drains = drains
    run.kit.facts = run.kit.facts.model_copy(update={"log_drains": drains})
    run.phrase()
    planned = next(line for line in run.events("plan.ready")[-1]["steps"] if line["id"] == "drains")
    assert [call["request"] for call in planned["calls"]] == [f"POST /apps/{NEW}/log-drains"]
    assert ended(run.begin()) == (DONE, "")
    assert end_state(run)["drains"] == ["https://u:canary-drain@logs.example/in"]
    assert sent(run, "add_log_drain") == ["add_log_drain logs.example"]
    assert "canary-drain" not in run.journal_path.read_text()
    result = next(one["result"] for one in run.events("step.succeeded") if one["step"] == "drains")
    assert result == {"added": ["logs.example"], "unknown": ["old.example"]}


def test_of_a_place_that_lives_everything_is_stopped_before_anything_starts(quick: Path) -> None:
    run = alive(quick)
    run.places.old.one_offs = ["run.7"]
    assert ended(run.begin()) == (DONE, "")
    old = run.places.old
    assert (old.maintenance, old.formation, old.one_offs) == (True, {"web": 0, "worker": 0, "beat": 0}, [])
    assert old.hosts == []
    assert run.places.wrongs == set()
    held = next(one["result"]["holds"] for one in run.events("step.succeeded") if one["step"] == "old_place")
    assert any("heroku-postgresql" in one for one in held)
    assert run.events("run.finished")[-1]["left"] == {
        "old application": "usc-pis is in maintenance mode: users cannot use it"
    }


def test_a_record_that_somebody_changed_stops_the_switch_with_both_values(quick: Path) -> None:
    run = lost(quick)
    names = run.names
    assert names is not None
    other = OLD.model_copy(update={"values": ("elsewhere.example",)})

    def crash(seq: int, moment: str) -> None:
        if sent(run, "load") and names.held[HOST] == OLD:
            names.put(other)

    run.crash = crash
    code, words = ended(run.begin())
    assert code is CHECK
    assert "old-target.dns.example" in words
    assert "elsewhere.example" in words
    assert sent(run, "swap") == []
    assert names.held[HOST] == other
    assert "GMAIL_CLIENT_ID" not in run.places.apps[NEW].values
    run.crash = lambda seq, moment: None
    names.put(OLD)
    assert ended(run.resume()) == (DONE, "")
    assert len(sent(run, "create_app")) == len(sent(run, "start_build")) == 1


def test_a_zone_that_only_a_person_edits_is_shown_and_watched(quick: Path) -> None:
    run = lost(quick)
    assert run.names is not None
    run.names.writable, run.names.by_hand = False, True
    assert ended(run.begin()) == (DONE, "")
    assert sent(run, "swap") == []
    assert any("at the provider: " in event["text"] for event in run.events("note"))
    assert run.places.wrongs == set()


def test_old_answers_live_for_their_ttl_after_the_last_server_followed(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, followed = lost(quick), dict[datetime, bool]()
    names = run.names
    assert names is not None

    def clock() -> datetime:
        """100 s later for each look."""
        at = datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(seconds=100 * run.places.calls["look"])
        followed[at] = names.seen == names.held
        return at

    monkeypatch.setattr("uscdr.scenarios.steps.dns_switch.system_time", clock)
    assert ended(run.begin()) == (DONE, "")
    result = next(one["result"] for one in run.events("step.succeeded") if one["step"] == "switch")
    assert followed[datetime.fromisoformat(result["old_answers_until"]) - timedelta(seconds=OLD.ttl)]


def test_a_switch_counts_only_when_every_server_says_so(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uscdr.scenarios.steps.dns_switch.SEEN_LIMIT", 0.0)
    run = lost(quick)
    assert run.names is not None
    run.names.lame = True
    assert ended(run.begin())[0] is ExitCode.UNKNOWN
    assert ended(run.resume())[0] is ExitCode.UNKNOWN
    assert "GMAIL_CLIENT_ID" not in run.places.apps[NEW].values
    run.names.lame = False
    assert ended(run.resume()) == (DONE, "")
    assert len(sent(run, "swap")) == 1


def test_cautions_of_the_domain_are_lines_of_the_plan(quick: Path) -> None:
    run = lost(quick)
    assert run.names is not None
    run.names.warnings = (Caution(name=HOST, what="CAA forbids it.", so="No certificate will be issued."),)
    run.begin(dry_run=True)
    assert f"{HOST}: CAA forbids it. No certificate will be issued" in summary(run, "preflight")


def test_where_the_zone_allows_no_certificate_the_rest_goes_on_and_a_person_is_told(quick: Path) -> None:
    run = lost(quick)
    assert run.names is not None
    why = Caution(name=HOST, what="CAA forbids it.", so="No certificate will be issued.", no_certificate=True)
    run.names.warnings, run.places.certificate = (why,), "failing"
    code, words = ended(run.begin())
    assert code is CHECK
    assert f"get a certificate for {HOST} (now failing)" in words
    new = run.places.apps[NEW]
    assert "GMAIL_CLIENT_ID" in new.values
    assert new.formation == {"web": 2, "worker": 3, "beat": 1}
    assert sent(run, "capture") == [f"capture of {NEW}"]
    new.hosts = [one.model_copy(update={"acm_status": "cert issued"}) for one in new.hosts]
    assert ended(run.resume()) == (DONE, "")


def test_an_addon_that_fails_is_ordered_again_by_a_resumed_run(quick: Path) -> None:
    run = lost(quick)
    run.places.addon_doom = ["deprovisioned"]
    ending = run.begin()
    assert ended(ending)[0] is FAILED
    assert "uscdr runs resume" in advice(ending)
    assert ended(run.resume()) == (DONE, "")
    place = run.places.apps[NEW]
    assert [one.state for one in place.addons] == ["deprovisioned", "provisioned", "provisioned"]
    assert end_state(run)["wrongs"] == []


@pytest.mark.parametrize("doom", ["build_doom", "release_doom"])
def test_a_build_or_release_that_fails_is_made_again_by_a_resumed_run(quick: Path, doom: str) -> None:
    run = lost(quick)

    def crash(seq: int, moment: str) -> None:
        if sent(run, "load") and not sent(run, "start_build"):
            setattr(run.places.apps[NEW], doom, ["failed"])

    run.crash = crash
    ending = run.begin()
    assert ended(ending)[0] is FAILED
    assert "runs resume" in advice(ending)
    assert sent(run, "add_domain") == []
    run.crash = lambda seq, moment: None
    assert ended(run.resume()) == (DONE, "")
    assert len(sent(run, "start_build")) == 2
    assert len(sent(run, "load")) == 1


def test_a_certificate_that_fails_keeps_mail_and_workers_back(quick: Path) -> None:
    run = lost(quick)
    run.places.certificate = "failed"
    code, words = ended(run.begin())
    assert code is CHECK
    assert "certs:auto:refresh" in words
    place = run.places.apps[NEW]
    assert (place.formation["beat"], "GMAIL_CLIENT_ID" in place.values) == (0, False)
    assert run.events("run.finished")[-1]["left"] == {f"stopped in {NEW}": "beat, worker"}
    run.places.certificate = "cert issued"
    place.hosts = [one.model_copy(update={"acm_status": "pending"}) for one in place.hosts]
    assert ended(run.resume()) == (DONE, "")


def test_in_place_what_ran_before_the_first_attempt_runs_again_after_the_second(quick: Path) -> None:
    run = without_database(quick)
    run.places.faults["create_addon", 1] = "refused"
    assert ended(run.begin())[0] is FAILED
    assert not any(run.places.old.formation.values())
    run.request = type(run.request)("infra", kit="newest", anew=True)
    assert ended(run.begin()) == (DONE, "")
    assert run.places.old.formation == {"web": 2, "worker": 3, "beat": 1}
    assert not run.places.old.maintenance


def test_in_place_users_stay_out_until_the_data_are_verified(quick: Path) -> None:
    run = without_database(quick)
    assert ended(run.begin()) == (DONE, "")
    order = [event["step"] for event in run.events("step.succeeded")]
    assert order.index("verify_data") < order.index("maintenance_off") < order.index("check_new")
    assert order.index("load") < order.index("maintenance_off")


def test_the_rows_of_the_phrase_are_those_that_are_compared(quick: Path) -> None:
    run = lost(quick)
    assert "52 rows" in run.phrase()  # without the sessions
    assert ended(run.begin()) == (DONE, "")
    results = {event["step"]: event["result"] for event in run.events("step.succeeded")}
    assert results["prove"]["rows"] == results["verify_data"]["rows"] == 52


def test_in_place_a_release_phase_is_waited_for_and_what_it_wrote_is_replaced(quick: Path) -> None:
    """Attaching a database releases: the release phase fills it before the data are there."""
    run = without_database(quick)
    place = run.places.old

    def crash(seq: int, moment: str) -> None:
        if sent(run, "create_addon") and place.releases[0].version == 9:
            place.live.tables["patients_patient"] = {1: 99}
            pending = {"id": "r2", "version": 10, "status": "pending", "current": False}
            place.releases.insert(0, place.releases[0].model_copy(update=pending))

    run.crash = crash
    run.places.on_look = lambda: _end_release(run)
    assert ended(run.begin()) == (DONE, "")
    assert place.live.tables["patients_patient"] == run.places.old.dumps[1].tables["patients_patient"]


def _end_release(run: Recovery) -> None:
    """A pending release ends some looks later."""
    releases = run.places.old.releases
    if releases and releases[0].status == "pending" and run.places.calls["releases"] > 3:
        assert not sent(run, "load")
        releases[0] = releases[0].model_copy(update={"status": "succeeded", "current": True})
        releases[1] = releases[1].model_copy(update={"current": False})


def test_what_the_load_left_out_is_said_with_the_reason(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = (
        LeftOut(what="schema _heroku", why="it belongs to the platform", of_platform=True),
        LeftOut(what="policy notes mine", why="the role analyst_ro does not exist in the new database"),
    )
    monkeypatch.setattr(World, "left_out", left)
    run = lost(quick)
    assert ended(run.begin()) == (DONE, "")
    warned = [event["text"] for event in run.events("note") if event["level"] == "warning"]
    words = "Not in the new database: policy notes mine. The role analyst_ro does not exist in the new database."
    assert [text for text in warned if "database" in text and "_heroku" not in text] == [words]
    summaries = [event["summary"] for event in run.events("step.succeeded")]
    (loaded,) = [text for text in summaries if "is loaded" in text]
    assert "left out, because it belongs to Heroku: schema _heroku" in loaded
    assert loaded.endswith("NOT in the new database: policy notes mine")
    assert run.events("run.finished")[-1]["left"]["not brought back"] == (
        "parts of the database (policy notes mine): create them by hand; the run's report has the reasons"
    )


def test_mail_is_let_out_when_its_release_runs_and_not_before(quick: Path) -> None:
    run = lost(quick)
    assert ended(run.begin()) == (DONE, "")
    place = run.places.apps[NEW]
    assert place.releases[0].status == "succeeded"
    assert place.releases[0].description.startswith("Set GMAIL_CLIENT_ID")
    told = next(one["summary"] for one in run.events("step.succeeded") if one["step"] == "unsilence")
    assert told == f"3 variables set; v{place.releases[0].version} runs on web=2"


def test_mail_is_not_called_let_out_while_its_release_has_failed(quick: Path) -> None:
    run = lost(quick)

    def crash(seq: int, moment: str) -> None:
        if sent(run, "swap") and not run.places.apps[NEW].release_doom and not sent(run, "set_config")[1:]:
            run.places.apps[NEW].release_doom = ["failed"]

    run.crash = crash
    code, words = ended(run.begin())
    assert (code, "its change is not in force" in words) == (FAILED, True)
    assert run.places.apps[NEW].formation["worker"] == 0
    run.crash = lambda seq, moment: None
    ending = run.resume()
    assert ended(ending)[0] is CHECK
    assert "Mail is not enabled: v2: failed. See why: heroku releases:output" in ended(ending)[1]
    place = run.places.apps[NEW]
    add_release(place, "Retry of v2", place.releases[0].slug_id)
    assert ended(run.resume()) == (DONE, "")
    assert len(sent(run, "set_config")) == 2


@pytest.mark.parametrize("case", [lost, alive])
def test_every_process_type_comes_back_in_its_size(case: Callable[[Path], Recovery], quick: Path) -> None:
    run = case(quick)
    run.places.old.sizes = {"web": "Standard-2X", "worker": "Performance-M"}
    assert run.kit is not None
    assert run.kit.facts is not None
    sized = tuple(one.model_copy(update={"size": run.places.old.sizes.get(one.type, one.size)})
                  for one in run.kit.facts.formation)  # fmt: skip
    run.kit.facts = run.kit.facts.model_copy(update={"formation": sized})
    assert ended(run.begin()) == (DONE, "")
    assert end_state(run)["sizes"] == {"web": "Standard-2X", "worker": "Performance-M"}
    assert end_state(run)["formation"] == {"web": 2, "worker": 3, "beat": 1}
    told = next(one["summary"] for one in run.events("step.succeeded") if one["step"] == "formation")
    assert told.startswith("every process type has its size; v1 runs on web=1")


def test_a_process_type_that_the_code_does_not_name_is_told(quick: Path) -> None:
    run = lost(quick)
    assert run.kit is not None
    assert run.kit.facts is not None
    more = run.kit.facts.formation[0].model_copy(update={"type": "clock", "quantity": 1})
    run.kit.facts = run.kit.facts.model_copy(update={"formation": (*run.kit.facts.formation, more)})
    run.begin()
    told = next(one["reason"] for one in run.events("step.skipped") if one["step"] == "formation")
    assert "NOT started, because the deployed code does not have them: clock" in told


@pytest.mark.parametrize("case", [lost, alive])
def test_what_is_not_brought_back_is_named_before_the_phrase_and_at_the_end(
    case: Callable[[Path], Recovery], quick: Path
) -> None:
    run = case(quick)
    hooked = Belongings(webhooks=("hooks.example",), features=("preboot",))
    run.places.old.belongings = hooked
    assert run.kit is not None
    assert run.kit.facts is not None
    run.kit.facts = run.kit.facts.model_copy(update={"belongings": hooked})
    run.phrase()
    for step in ("scope", "decide"):
        assert "NOT restored: features (preboot): turn them on" in summary(run, step), step
        assert "webhooks (hooks.example): add them" in summary(run, step)
    assert ended(run.begin()) == (DONE, "")
    assert "webhooks (hooks.example)" in run.events("run.finished")[-1]["left"]["not brought back"]


def test_in_place_nothing_of_it_is_lost(quick: Path) -> None:
    run = without_database(quick)
    run.places.old.belongings = Belongings(webhooks=("hooks.example",))
    assert ended(run.begin()) == (DONE, "")
    assert "not brought back" not in run.events("run.finished")[-1]["left"]


def test_of_a_place_that_works_that_is_said_before_the_phrase(quick: Path) -> None:
    run = alive(quick)
    run.begin()
    told = str(run.events("gate.asked")[0]["facts"]["warning"])
    assert told.startswith("usc-pis still runs for its users, with its database (")
    assert "If only its data is wrong: uscdr recover db." in told
    assert any(one["text"] == told for one in run.events("note"))


def test_of_a_place_that_is_lost_or_shut_nothing_of_the_kind_is_said(quick: Path) -> None:
    shut = alive(quick / "shut")
    shut.places.old.maintenance = True
    for run in (lost(quick / "lost"), shut):
        run.begin()
        assert "warning" not in run.events("gate.asked")[0]["facts"]


def test_after_a_rebuild_the_lost_application_is_not_to_be_rebuilt_again(quick: Path) -> None:
    run = lost(quick)
    assert ended(run.begin()) == (DONE, "")
    run.request = Request("db")
    ending = run.begin(dry_run=True)
    assert ending is not None
    assert ending.error is not None
    assert ending.code is ExitCode.CHECK_FAILED
    assert f"uscdr rebuilt it as {NEW}: put that name into scenarios.yaml" in ending.error.next_action
