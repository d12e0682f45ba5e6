"""World objects as the Platform API shows them (schema v3, 2026-02-19)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uscdr.sandbox.world.entities import (
    REGIONS,
    STACKS,
    Account,
    Addon,
    Attachment,
    Build,
    Domain,
    FormationEntry,
    Release,
    Slug,
    stamp,
)

if TYPE_CHECKING:
    from uscdr.sandbox.core import Core
    from uscdr.sandbox.dynos.dyno import Dyno, Owner
    from uscdr.sandbox.world.apps import App

Document = dict[str, Any]
GENERATION = {"id": "5f9b4a0e-9c9c-4c0b-8a8e-2f4e0f6e3a11", "name": "cedar"}


def app_ref(app: Owner) -> Document:
    """The short form other resources carry."""
    return {"id": app.id, "name": app.name}


def user_ref(account: Account) -> Document:
    """The short form of an account."""
    return {"id": account.id, "email": account.email}


def account(one: Account) -> Document:
    """The account."""
    return {
        **user_ref(one),
        "name": "On Call",
        "allow_tracking": False,
        "beta": False,
        "federated": False,
        "verified": True,
        "two_factor_authentication": False,
        "country_of_residence": None,
        "default_organization": None,
        "default_team": None,
        "delinquent_at": None,
        "identity_provider": None,
        "sms_number": None,
        "suspended_at": stamp(one.suspended_at),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "last_login": stamp(one.created_at),
    }


def app(core: Core, one: App) -> Document:
    """An app."""
    slug = one.current.slug if one.current else None
    return {
        **app_ref(one),
        "acm": one.acm,
        "archived_at": None,
        "buildpack_provided_description": slug.language if slug else None,
        "build_stack": STACKS[one.stack],
        "created_at": stamp(one.created_at),
        "generation": GENERATION,
        "git_url": f"https://{core.git_host}/{one.name}.git",
        "internal_routing": None,
        "maintenance": one.maintenance,
        "organization": None,
        "owner": user_ref(one.owner),
        "region": REGIONS[one.region],
        "released_at": stamp(one.releases[-1].created_at if one.releases else None),
        "repo_size": None,
        "slug_size": slug.size if slug else None,
        "space": None,
        "stack": STACKS[one.stack],
        "team": None,
        "updated_at": stamp(one.updated_at),
        "web_url": one.web_url,
    }


def release(core: Core, owner: App, one: Release) -> Document:
    """A release. `current` holds while its code and config are what runs."""
    has_code = one.slug is not None
    return {
        "id": one.id,
        "version": one.version,
        "description": one.description,
        "status": one.status,
        "current": owner.current is one,
        "eligible_for_rollback": has_code and one.status == "succeeded",
        "addon_plan_names": list(one.plans),
        "artifacts": [],
        "app": app_ref(owner),
        "slug": {"id": one.slug.id} if one.slug else None,
        "user": user_ref(core.world.account),
        "output_stream_url": f"{core.api_url}/streams/{one.output.id}" if one.output else None,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
    }


def slug(one: Slug) -> Document:
    """A slug; its content has no address here."""
    return {
        "id": one.id,
        "blob": {"method": "GET", "url": "https://uscdr-sandbox-slugs.s3.amazonaws.invalid/" + one.id},
        "buildpack_provided_description": one.language,
        "checksum": one.checksum,
        "commit": one.commit,
        "commit_description": None,
        "process_types": one.process_types,
        "size": one.size,
        "stack": STACKS[one.stack],
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "deleted_at": None,
    }


def build(core: Core, owner: App, one: Build) -> Document:
    """A build."""
    return {
        "id": one.id,
        "app": app_ref(owner),
        "buildpacks": one.buildpacks,
        "generation": GENERATION["name"],
        "output_stream_url": f"{core.api_url}/streams/{one.output.id}",
        "source_blob": {"url": one.source_url, "version": one.version, "checksum": one.checksum},
        "status": one.status,
        "slug": {"id": one.slug.id} if one.slug else None,
        "release": {"id": one.release.id} if one.release else None,
        "stack": owner.stack,
        "user": user_ref(core.world.account),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
    }


def formation(owner: App, one: FormationEntry) -> Document:
    """One process type of a formation."""
    return {
        "id": one.id,
        "app": app_ref(owner),
        "command": one.command,
        "quantity": one.quantity,
        "dyno_size": {"id": one.size.lower(), "name": one.size},
        "size": one.size,
        "type": one.type,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
    }


def dyno(one: Dyno) -> Document:
    """A dyno."""
    return {
        "id": one.id,
        "name": one.name,
        "type": one.type,
        "size": one.size,
        "state": one.state,
        "command": one.command,
        "attach_url": one.attach_url,
        "app": app_ref(one.app),
        "release": {"id": one.release.id, "version": one.release.version},
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
    }


def domain(owner: App, one: Domain) -> Document:
    """A hostname."""
    endpoint = next((held for held in owner.certificates if one.sni_endpoint in (held.id, held.name)), None)
    return {
        "id": one.id,
        "app": app_ref(owner),
        "hostname": one.hostname,
        "kind": one.kind,
        "cname": one.cname,
        "status": one.status,
        "acm_status": one.acm_status,
        "acm_status_reason": one.acm_reason,
        "sni_endpoint": {"id": endpoint.id, "name": endpoint.name} if endpoint else None,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
    }


def addon_ref(core: Core, one: Addon) -> Document:
    """The short form attachments carry."""
    return {"id": one.id, "name": one.name, "app": app_ref(core.world.app(one.app_id))}


def attachment(core: Core, one: Attachment, *, inclusion: str = "") -> Document:
    """An attachment; `inclusion` is the Accept-Inclusion header, which adds the plan and config var names."""
    addon = core.world.addon(one.addon_id)
    document: Document = {
        "id": one.id,
        "name": one.name,
        "namespace": None,
        "app": app_ref(core.world.app(one.app_id)),
        "addon": addon_ref(core, addon),
        "log_input_url": None,
        "web_url": f"https://addons-sso.example/{one.id}",
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
    }
    if "addon:plan" in inclusion:
        document["addon"] |= {"plan": {"id": addon.plan, "name": addon.plan}}
    if "config_vars" in inclusion:
        document["config_vars"] = [f"{one.name}_URL"]
    return document
