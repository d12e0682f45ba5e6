"""Platform API bodies to models. Source: the published schema of v3; unknown fields are ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from uscdr.models.heroku import (
    Account,
    AddOn,
    AddonPlan,
    App,
    Attachment,
    Build,
    Domain,
    Dyno,
    LogDrain,
    ProcessType,
    Release,
)
from uscdr.providers.http.json import (
    ShapeError,
    about,
    flag,
    items,
    nested,
    number,
    optional_moment,
    optional_number,
    optional_text,
    optional_web_address,
    record,
    text,
    web_address,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def account(body: object) -> Account:
    """`GET /account`."""
    return Account(email=text(record(body), "email"))


def app(body: object) -> App:
    """`GET` and `PATCH /apps/{app}`."""
    source = record(body)
    return App(
        id=text(source, "id"),
        name=text(source, "name"),
        maintenance=flag(source, "maintenance"),
        stack=optional_text(nested(source, "stack"), "name"),
        region=optional_text(nested(source, "region"), "name"),
        owner_email=optional_text(nested(source, "owner"), "email"),
        web_url=optional_web_address(source, "web_url") or None,
        released_at=optional_moment(source, "released_at"),
    )


def about_app(name: str) -> Callable[[object], App]:
    """The same, only for that application, by name or id."""
    return about(name, app, lambda found: (found.name, found.id))


def config_vars(body: object) -> Mapping[str, SecretStr]:
    """`GET /apps/{app}/config-vars`: a flat map of text; an unset variable (null) is left out."""
    source = record(body)
    return {name: SecretStr(_value(source, name)) for name in source if source[name] is not None}


def _value(source: Mapping[str, object], name: str) -> str:
    value = source[name]
    if not isinstance(value, str):
        raise ShapeError("a config variable is not text")
    return value


def process_type(body: object) -> ProcessType:
    """One item of `/apps/{app}/formation`; newer API formats have the size in `dyno_size`."""
    source = record(body)
    return ProcessType(
        type=text(source, "type"),
        quantity=number(source, "quantity"),
        size=optional_text(source, "size") or optional_text(nested(source, "dyno_size"), "name"),
        command=optional_text(source, "command"),
    )


def dyno(body: object) -> Dyno:
    """One item of `GET /apps/{app}/dynos`."""
    source = record(body)
    return Dyno(
        id=optional_text(source, "id"),
        name=text(source, "name"),
        type=text(source, "type"),
        state=text(source, "state"),
        size=optional_text(source, "size"),
        command=optional_text(source, "command"),
        release_version=optional_number(nested(source, "release"), "version"),
        created_at=optional_moment(source, "created_at"),
        updated_at=optional_moment(source, "updated_at"),
    )


def release(body: object) -> Release:
    """One item of `GET /apps/{app}/releases`."""
    source = record(body)
    return Release(
        id=text(source, "id"),
        version=number(source, "version"),
        status=text(source, "status"),
        description=optional_text(source, "description"),
        current=source.get("current") is True,
        created_at=optional_moment(source, "created_at"),
        updated_at=optional_moment(source, "updated_at"),
        user_email=optional_text(nested(source, "user"), "email"),
        slug_id=optional_text(nested(source, "slug"), "id") or None,
        eligible_for_rollback=source.get("eligible_for_rollback") is True,
    )


def build_status(body: object) -> str:
    """The status of one item of `GET /apps/{app}/builds`: `pending`, `succeeded` or `failed`."""
    return text(record(body), "status")


def build(body: object) -> Build:
    """One item of `GET /apps/{app}/builds`."""
    source = record(body)
    blob = nested(source, "source_blob")
    return Build(
        id=text(source, "id"),
        status=text(source, "status"),
        commit=optional_text(blob, "version"),
        checksum=optional_text(blob, "checksum"),
        created_at=optional_moment(source, "created_at"),
        slug_id=optional_text(nested(source, "slug"), "id") or None,
        release_id=optional_text(nested(source, "release"), "id") or None,
        output_url=optional_web_address(source, "output_stream_url") or None,
    )


def output_stream(body: object) -> str | None:
    """Where a release's output is streamed; null when it has no release phase."""
    return optional_web_address(record(body), "output_stream_url") or None


def source_blob(body: object) -> tuple[SecretStr, SecretStr]:
    """`POST /sources`: the upload address and the address that the build reads. Both are secrets: they grant access."""
    source = nested(record(body), "source_blob")
    return SecretStr(web_address(source, "put_url")), SecretStr(web_address(source, "get_url"))


def plan(body: object) -> AddonPlan:
    """One item of `GET /addon-services/{service}/plans`; a price that is not monthly is None."""
    source = record(body)
    price = nested(source, "price")
    monthly = optional_text(price, "unit") in ("", "month")
    return AddonPlan(
        name=text(source, "name"),
        state=optional_text(source, "state"),
        cents=optional_number(price, "cents") if monthly else None,
        default=source.get("default") is True,
    )


def buildpack(body: object) -> tuple[int, str]:
    """One item of `/apps/{app}/buildpack-installations`: its position and its name, or else its address."""
    source = record(body)
    inner = nested(source, "buildpack")
    return optional_number(source, "ordinal") or 0, optional_text(inner, "name") or text(inner, "url")


def domain(body: object) -> Domain:
    """One item of `GET /apps/{app}/domains`."""
    source = record(body)
    endpoint = nested(source, "sni_endpoint")
    return Domain(
        id=text(source, "id"),
        hostname=text(source, "hostname"),
        kind=text(source, "kind"),
        status=optional_text(source, "status"),
        cname=optional_text(source, "cname") or None,
        acm_status=optional_text(source, "acm_status") or None,
        acm_reason=optional_text(source, "acm_status_reason"),
        sni_endpoint=optional_text(endpoint, "name") or optional_text(endpoint, "id") or None,
    )


def collaborator(body: object) -> str:
    """The e-mail address of one item of `GET /apps/{app}/collaborators`."""
    return text(nested(record(body), "user"), "email")


def log_drain(body: object) -> LogDrain:
    """One item of `GET /apps/{app}/log-drains`; its address is a secret, except the host."""
    source = record(body)
    url = optional_text(source, "url")
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    addon = optional_text(nested(source, "addon"), "name") if source.get("addon") else ""
    return LogDrain(id=text(source, "id"), host=host or "", url=SecretStr(url) if url else None, addon=addon)


def addon(body: object) -> AddOn:
    """One item of `GET /apps/{app}/addons`."""
    source = record(body)
    owner = nested(source, "app")
    return AddOn(
        id=text(source, "id"),
        name=text(source, "name"),
        state=text(source, "state"),
        plan=text(nested(source, "plan"), "name"),
        app_id=optional_text(owner, "id"),
        app_name=optional_text(owner, "name"),
        config_vars=_names(source, "config_vars"),
    )


def attachment(body: object) -> Attachment:
    """One add-on attachment, with the plan and config variables that `Accept-Inclusion` requests."""
    source = record(body)
    inner = nested(source, "addon")
    owner = nested(inner, "app")
    return Attachment(
        name=text(source, "name"),
        app_name=text(nested(source, "app"), "name"),
        addon_id=text(inner, "id"),
        addon_name=text(inner, "name"),
        owner_app_id=optional_text(owner, "id"),
        owner_app_name=optional_text(owner, "name"),
        plan=optional_text(nested(inner, "plan"), "name"),
        config_vars=_names(source, "config_vars"),
    )


def _names(source: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = source.get(name)
    return () if value is None else items(value, _name)


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise ShapeError("a config variable's name is not text")
    return value
