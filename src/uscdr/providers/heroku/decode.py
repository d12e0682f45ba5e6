"""Platform API bodies to models. Source: the published schema of v3; unknown fields are ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.models.heroku import AddOn, App, Attachment, Release
from uscdr.providers.http.json import JsonObject, ShapeError, about, items

if TYPE_CHECKING:
    from collections.abc import Callable


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
