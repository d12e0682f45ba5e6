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
from uscdr.providers.http.json import JsonObject, ShapeError, about, items

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def account(body: object) -> Account:
    """`GET /account`."""
    return Account(email=JsonObject.of(body).text("email"))


def app(body: object) -> App:
    """`GET` and `PATCH /apps/{app}`."""
    source = JsonObject.of(body)
    return App(
        id=source.text("id"),
        name=source.text("name"),
        maintenance=source.flag("maintenance"),
        stack=source.nested("stack").optional_text("name"),
        region=source.nested("region").optional_text("name"),
        owner_email=source.nested("owner").optional_text("email"),
        web_url=source.optional_web_address("web_url") or None,
        released_at=source.optional_moment("released_at"),
    )


def about_app(name: str) -> Callable[[object], App]:
    """The same, only for that application, by name or id."""
    return about(name, app, lambda found: (found.name, found.id))


def config_vars(body: object) -> Mapping[str, SecretStr]:
    """`GET /apps/{app}/config-vars`: a flat map of text; an unset variable (null) is left out."""
    source = JsonObject.of(body)
    return {name: SecretStr(_value(source, name)) for name in source if source[name] is not None}


def _value(source: JsonObject, name: str) -> str:
    value = source[name]
    if not isinstance(value, str):
        raise ShapeError("a config variable is not text")
    return value


def process_type(body: object) -> ProcessType:
    """One item of `/apps/{app}/formation`; newer API formats have the size in `dyno_size`."""
    source = JsonObject.of(body)
    return ProcessType(
        type=source.text("type"),
        quantity=source.number("quantity"),
        size=source.optional_text("size") or source.nested("dyno_size").optional_text("name"),
        command=source.optional_text("command"),
    )


def dyno(body: object) -> Dyno:
    """One item of `GET /apps/{app}/dynos`."""
    source = JsonObject.of(body)
    return Dyno(
        id=source.optional_text("id"),
        name=source.text("name"),
        type=source.text("type"),
        state=source.text("state"),
        size=source.optional_text("size"),
        command=source.optional_text("command"),
        release_version=source.nested("release").optional_number("version"),
        created_at=source.optional_moment("created_at"),
        updated_at=source.optional_moment("updated_at"),
    )


def release(body: object) -> Release:
    """One item of `GET /apps/{app}/releases`."""
    source = JsonObject.of(body)
    return Release(
        id=source.text("id"),
        version=source.number("version"),
        status=source.text("status"),
        description=source.optional_text("description"),
        current=source.get("current") is True,
        created_at=source.optional_moment("created_at"),
        updated_at=source.optional_moment("updated_at"),
        user_email=source.nested("user").optional_text("email"),
        slug_id=source.nested("slug").optional_text("id") or None,
        eligible_for_rollback=source.get("eligible_for_rollback") is True,
    )


def build_status(body: object) -> str:
    """The status of one item of `GET /apps/{app}/builds`: `pending`, `succeeded` or `failed`."""
    return JsonObject.of(body).text("status")


def build(body: object) -> Build:
    """One item of `GET /apps/{app}/builds`."""
    source = JsonObject.of(body)
    blob = source.nested("source_blob")
    return Build(
        id=source.text("id"),
        status=source.text("status"),
        commit=blob.optional_text("version"),
        checksum=blob.optional_text("checksum"),
        created_at=source.optional_moment("created_at"),
        slug_id=source.nested("slug").optional_text("id") or None,
        release_id=source.nested("release").optional_text("id") or None,
        output_url=source.optional_web_address("output_stream_url") or None,
    )


def output_stream(body: object) -> str | None:
    """Where a release's output is streamed; null when it has no release phase."""
    return JsonObject.of(body).optional_web_address("output_stream_url") or None


def source_blob(body: object) -> tuple[SecretStr, SecretStr]:
    """`POST /sources`: the upload address and the address that the build reads. Both are secrets: they grant access."""
    source = JsonObject.of(body).nested("source_blob")
    return SecretStr(source.web_address("put_url")), SecretStr(source.web_address("get_url"))


def plan(body: object) -> AddonPlan:
    """One item of `GET /addon-services/{service}/plans`; a price that is not monthly is None."""
    source = JsonObject.of(body)
    price = source.nested("price")
    monthly = price.optional_text("unit") in ("", "month")
    return AddonPlan(
        name=source.text("name"),
        state=source.optional_text("state"),
        cents=price.optional_number("cents") if monthly else None,
        default=source.get("default") is True,
    )


def buildpack(body: object) -> tuple[int, str]:
    """One item of `/apps/{app}/buildpack-installations`: its position and its name, or else its address."""
    source = JsonObject.of(body)
    inner = source.nested("buildpack")
    return source.optional_number("ordinal") or 0, inner.optional_text("name") or inner.text("url")


def domain(body: object) -> Domain:
    """One item of `GET /apps/{app}/domains`."""
    source = JsonObject.of(body)
    endpoint = source.nested("sni_endpoint")
    return Domain(
        id=source.text("id"),
        hostname=source.text("hostname"),
        kind=source.text("kind"),
        status=source.optional_text("status"),
        cname=source.optional_text("cname") or None,
        acm_status=source.optional_text("acm_status") or None,
        acm_reason=source.optional_text("acm_status_reason"),
        sni_endpoint=endpoint.optional_text("name") or endpoint.optional_text("id") or None,
    )


def collaborator(body: object) -> str:
    """The e-mail address of one item of `GET /apps/{app}/collaborators`."""
    return JsonObject.of(body).nested("user").text("email")


def log_drain(body: object) -> LogDrain:
    """One item of `GET /apps/{app}/log-drains`; its address is a secret, except the host."""
    source = JsonObject.of(body)
    url = source.optional_text("url")
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    addon = source.nested("addon").optional_text("name") if source.get("addon") else ""
    return LogDrain(id=source.text("id"), host=host or "", url=SecretStr(url) if url else None, addon=addon)


def addon(body: object) -> AddOn:
    """One item of `GET /apps/{app}/addons`."""
    source = JsonObject.of(body)
    owner = source.nested("app")
    return AddOn(
        id=source.text("id"),
        name=source.text("name"),
        state=source.text("state"),
        plan=source.nested("plan").text("name"),
        app_id=owner.optional_text("id"),
        app_name=owner.optional_text("name"),
        config_vars=_names(source, "config_vars"),
    )


def attachment(body: object) -> Attachment:
    """One add-on attachment, with the plan and config variables that `Accept-Inclusion` requests."""
    source = JsonObject.of(body)
    inner = source.nested("addon")
    owner = inner.nested("app")
    return Attachment(
        name=source.text("name"),
        app_name=source.nested("app").text("name"),
        addon_id=inner.text("id"),
        addon_name=inner.text("name"),
        owner_app_id=owner.optional_text("id"),
        owner_app_name=owner.optional_text("name"),
        plan=inner.nested("plan").optional_text("name"),
        config_vars=_names(source, "config_vars"),
    )


def _names(source: JsonObject, name: str) -> tuple[str, ...]:
    value = source.get(name)
    return () if value is None else items(value, _name)


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise ShapeError("a config variable's name is not text")
    return value
