"""Addresses of the old place are found by what a variable holds, in whatever form, and never by its name."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest
from pydantic import SecretStr

from uscdr.scenarios.config_app import Recovery
from uscdr.scenarios.infra.config import (
    NEW,
    AddonFate,
    ConfigInputs,
    KnownAddress,
    NewConfig,
    ServiceAddress,
    _holds,
    _names_data,
)

OLD_DB = "postgres://u7a8b9c0d1e2f:p0a1b2c3d4e5f6a7b8@ec2-3-9.eu-west-1.compute.amazonaws.com:5432/d1a2b3c4d5e6f"
NEW_DB = "postgres://unew1unew2:pnew1pnew2pnew3@ec2-7-7.eu-west-1.compute.amazonaws.com:6432/dnew1dnew2"
OLD_QUEUE = "redis://:qold1qold2qold3@ec2-5-5.compute-1.amazonaws.com:11239"
NEW_QUEUE = "redis://:qnew1qnew2qnew3@ec2-6-6.compute-1.amazonaws.com:22339"
LOCAL = "postgres://u7a8b9c0d1e2f:p0a1b2c3d4e5f6a7b8@127.0.0.1:40001/d1a2b3c4d5e6f"
OLD, ANEW = ServiceAddress.of(OLD_DB), ServiceAddress.of(NEW_DB)
U, P, H, D = "u7a8b9c0d1e2f", "p0a1b2c3d4e5f6a7b8", "ec2-3-9.eu-west-1.compute.amazonaws.com", "d1a2b3c4d5e6f"
NU, NP, NH, ND = "unew1unew2", "pnew1pnew2pnew3", "ec2-7-7.eu-west-1.compute.amazonaws.com", "dnew1dnew2"


def known(addon: str, old: str, new: str = "", *, fate: AddonFate = AddonFate.ANEW) -> KnownAddress:
    return KnownAddress(addon, fate, ServiceAddress.of(old), ServiceAddress.of(new) if new else NEW)


BOTH = (known("pg-1", OLD_DB, NEW_DB), known("redis-1", OLD_QUEUE, NEW_QUEUE))


def made(values: Mapping[str, str], *known_: KnownAddress, **around: object) -> NewConfig:
    secret = {name: SecretStr(value) for name, value in values.items()}
    return NewConfig.of(secret, Recovery(), ConfigInputs(known=known_ or BOTH, **around))  # type: ignore[arg-type]


def shown(config: NewConfig) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in config.values.items()}


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        (OLD_DB, NEW_DB),
        (OLD_DB.replace("postgres://", "postgresql://"), NEW_DB.replace("postgres://", "postgresql://")),
        (OLD_DB.replace("postgres://", "postgresql+psycopg://"), NEW_DB.replace("postgres", "postgresql+psycopg", 1)),
        (f"{OLD_DB}?sslmode=require", f"{NEW_DB}?sslmode=require"),
        (OLD_DB.replace(":5432", ""), NEW_DB),
        (OLD_DB.replace(H, H.upper()), NEW_DB),
        (f"db+{OLD_DB}", f"db+{NEW_DB}"),
        (
            f"host={H} port=5432 dbname={D} user={U} password={P}",
            f"host={NH} port=6432 dbname={ND} user={NU} password={NP}",
        ),
        (
            f"jdbc:postgresql://{H}:5432/{D}?user={U}&password={P}",
            f"jdbc:postgresql://{NH}:6432/{ND}?user={NU}&password={NP}",
        ),
        (
            f"Server={H};Port=5432;Database={D};User Id={U};Password={P};",
            f"Server={NH};Port=6432;Database={ND};User Id={NU};Password={NP};",
        ),
        (
            json.dumps({"host": H, "port": 5432, "database": D, "user": U, "password": P}),
            json.dumps({"host": NH, "port": 6432, "database": ND, "user": NU, "password": NP}),
        ),
        (json.dumps({"default": OLD_DB, "n": 1}), json.dumps({"default": NEW_DB, "n": 1})),
        (P, NP), (U, NU), (H, NH), (D, ND), (f"{H}:5432", f"{NH}:6432"), (f" {P} ", NP),
        (f"postgres://{H}:5432/{D}", f"postgres://{NH}:6432/{ND}"),
    ],
)  # fmt: skip
def test_every_form_of_an_address_is_rewritten_whole(value: str, becomes: str) -> None:
    config = made({"ANY_NAME": value})
    assert shown(config) == {"ANY_NAME": becomes}
    assert config.changed == ("ANY_NAME",)
    assert (config.left, config.doubtful) == ({}, {})


@pytest.mark.parametrize(
    "value",
    [
        OLD_DB.replace(f":5432/{D}", f":5432/{D}_follower").replace(H, "follower.example"),
        f"postgres://{U}:{P}@pooler.example:6000/{D}",
        base64.b64encode(OLD_DB.encode()).decode(),
        f"https://report.example/?db={OLD_DB.replace(':', '%3A').replace('/', '%2F').replace('@', '%40')}",
        f"a note: {P}, and more",
        f"postgres://readonly_role:other@{H}:5432/{D}",
        json.dumps({"url": OLD_DB.replace("/", "\\/")}).replace("\\\\/", "\\/"),
    ],
)
def test_what_cannot_be_rewritten_exactly_is_left_out_and_named(value: str) -> None:
    config = made({"REPORTING": value})
    assert shown(config) == {}
    assert list(config.left) == ["REPORTING"]
    assert "cannot be rewritten exactly" in config.left["REPORTING"]
    assert "pg-1" in config.left["REPORTING"]


def test_a_queue_keeps_the_number_of_its_own_and_two_addresses_in_one_value_are_both_rewritten() -> None:
    config = made({"BROKER": f"{OLD_QUEUE}/1;{OLD_QUEUE}/2", "BOTH": f"{OLD_QUEUE} {OLD_DB}"})
    assert shown(config) == {"BROKER": f"{NEW_QUEUE}/1;{NEW_QUEUE}/2", "BOTH": f"{NEW_QUEUE} {NEW_DB}"}


def test_parts_in_variables_of_their_own_are_rewritten_with_what_only_those_beside_them_tell() -> None:
    parts = {"PGHOST": "127.0.0.1", "PGPORT": "40001", "PGUSER": U, "PGPASSWORD": P, "PGDATABASE": D, "PORT": "40001",
             "OTHER_PORT": "40001", "SITE_PORT": "5432"}  # fmt: skip
    config = made(parts, known("pg-1", LOCAL, NEW_DB))
    assert shown(config) == {
        "PGHOST": NH, "PGPORT": "6432", "PGUSER": NU, "PGPASSWORD": NP, "PGDATABASE": ND, "PORT": "40001",
        "OTHER_PORT": "40001", "SITE_PORT": "5432",
    }  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        "postgres",
        "5432",
        "https://www.usc-pis.example",
        "",
        "127.0.0.1",
        "http://127.0.0.1:8000/",
        "eu-west-1",
        "false",
    ],
)
def test_what_anything_may_hold_is_copied_as_it_is(value: str) -> None:
    config = made({"ANY": value}, known("pg-1", LOCAL, NEW_DB), known("redis-1", OLD_QUEUE, NEW_QUEUE))
    assert shown(config) == {"ANY": value}
    assert (config.changed, config.left, config.doubtful) == ((), {}, {})


def test_words_of_a_simple_address_are_no_sign_of_it() -> None:
    simple = ServiceAddress.of("postgres://app:secret@db:5432/clinic")
    assert not _holds("the clinic's app has a secret", simple)
    assert _holds("postgres://app:secret@db/clinic", simple)
    assert _holds("host=db dbname=clinic", simple)
    assert not _holds("https://mydb:5432/", simple)


def test_an_add_on_that_is_not_made_anew_is_named_with_all_that_holds_its_address() -> None:
    gone = known("pg-2", OLD_DB, fate=AddonFate.GONE)
    config = made(
        {"ANALYTICS_URL": OLD_DB, "STATS": f"{OLD_DB}?x=1", "KEPT": "k"},
        gone,
        not_made={"ANALYTICS_URL": "of pg-2 (p), which is not made anew"},
    )
    assert shown(config) == {"KEPT": "k"}
    assert config.left == {
        "ANALYTICS_URL": "of pg-2 (p), which is not made anew",
        "STATS": "of pg-2, which is not ordered again",
    }
    assert config.from_addons == ()


def test_what_names_a_database_elsewhere_is_copied_and_said() -> None:
    config = made({"WAREHOUSE": "postgresql://a:b@warehouse.example/w", "CACHE": "redis://localhost:6379"})
    assert list(config.doubtful) == ["WAREHOUSE"]
    assert shown(config)["WAREHOUSE"].endswith("warehouse.example/w")
    assert not _names_data("https://www.usc-pis.example")


def test_a_server_that_both_places_share_is_no_reason_to_leave_anything_out() -> None:
    new = NEW_DB.replace(f"{NH}:6432", f"{H}:5432")
    config = made({"DSN": f"host={H} port=5432 dbname={D} user={U} password={P}"}, known("pg-1", OLD_DB, new))
    assert shown(config) == {"DSN": f"host={H} port=5432 dbname={ND} user={NU} password={NP}"}


def test_two_databases_on_one_server_are_told_apart_and_a_strangers_is_copied_and_said() -> None:
    second = OLD_DB.replace(U, "u9z8y7x6").replace(P, "p9z8y7x6w5v4u3").replace(D, "d9z8y7x6")
    both = (known("pg-1", OLD_DB, NEW_DB), known("pg-2", second, fate=AddonFate.GONE))
    stranger = OLD_DB.replace(U, "uother12").replace(P, "pother12345678").replace(D, "dother12")
    config = made({"A": OLD_DB, "B": second, "C": stranger, "D": f"host={H} password={P}", "E": H}, *both)
    assert shown(config) == {"A": NEW_DB, "C": stranger, "D": f"host={NH} password={NP}"}
    assert list(config.left) == ["B", "E"]
    assert list(config.doubtful) == ["C"]


def test_an_encoded_password_is_found_and_set_as_each_form_spells_it() -> None:
    old = ServiceAddress.of("postgres://u7a8b9c0d1e2f:p%40ss%2Fw0rd1234@db.example:5432/d1a2b3c4d5e6f")
    assert old.password == "p@ss/w0rd1234"
    assert old.moved("p@ss/w0rd1234", ANEW) == NP
    assert old.moved("password=p%40ss%2Fw0rd1234", ANEW) == f"password={NP}"
    assert old.moved("password=p@ss/w0rd1234", ANEW) == f"password={NP}"


def test_the_old_applications_name_is_rewritten_wherever_it_stands() -> None:
    own = {
        "SITE_URL": "https://usc-pis-1a2b.herokuapp.com", "CSRF": "https://usc-pis.herokuapp.com,https://www.usc-pis.example",
        "OTHER": "https://billing-usc-pis.herokuapp.com", "FRONTEND_URL": "https://www.usc-pis.example",
    }  # fmt: skip
    hosts = ("usc-pis-1a2b.herokuapp.com", "usc-pis.herokuapp.com")
    config = made(own, hosts=hosts, names=("www.usc-pis.example",), new_url="https://usc-pis-recovery-9.herokuapp.com/")
    new = "https://usc-pis-recovery-9.herokuapp.com"
    assert shown(config) == {**own, "SITE_URL": new, "CSRF": f"{new},https://www.usc-pis.example"}
    assert config.changed == ("CSRF", "SITE_URL")
    assert config.doubtful == {}


def test_an_address_of_its_own_that_names_another_place_is_pointed_out() -> None:
    config = made({"SITE_URL": "https://of-two-recoveries-ago.herokuapp.com"}, hosts=("usc-pis.herokuapp.com",))
    assert "neither the old application nor one of its hostnames" in config.doubtful["SITE_URL"]


def test_a_new_place_that_tells_no_address_gets_no_made_up_one() -> None:
    silent = KnownAddress("pg-1", AddonFate.ANEW, OLD, None)
    config = made(
        {"COPY": OLD_DB, "SITE_URL": "https://usc-pis.herokuapp.com"},
        silent,
        hosts=("usc-pis.herokuapp.com",),
        new_url="",
    )
    assert shown(config) == {"SITE_URL": "https://usc-pis.herokuapp.com"}
    assert list(config.left) == ["COPY"]


def test_no_part_of_an_address_is_in_its_words() -> None:
    assert all(part not in repr((OLD, BOTH, made({"A": OLD_DB}))) for part in (U, P, H, D))
    assert isinstance(OLD, ServiceAddress)
