"""Media lost in every way that `break media` knows, and what `recover media` makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from live_sandbox import Live
from media_recovery import MediaRecovery
from uscdr.errors import ExitCode


@pytest.fixture(scope="module")
def copies(media_site: Live, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file, saved while all was well."""
    folder = tmp_path_factory.mktemp("copies")
    MediaRecovery(media_site, folder).save(folder)
    return folder


@pytest.fixture
def recovery(media_site: Live, copies: Path, tmp_path: Path) -> MediaRecovery:
    return MediaRecovery(media_site, tmp_path / "state")


def test_deleted(recovery: MediaRecovery) -> None:
    done = recovery.damage("deleted")
    assert recovery.recover(dry_run=True).code is ExitCode.DONE
    writes = recovery.effects("upload"), recovery.effects("restore")
    assert recovery.recover().code is ExitCode.DONE
    assert recovery.wrong() == []
    assert recovery.result("media_restore")["restored"] == done["assets_affected"]
    assert (recovery.effects("upload"), recovery.effects("restore")) == (writes[0], writes[1] + done["assets_affected"])
    assert "document_" not in recovery.journal


def test_half_without_a_backup(recovery: MediaRecovery, copies: Path) -> None:
    done = recovery.damage("half-backed-up")
    ending = recovery.recover()
    assert ending.code is ExitCode.CHECK_FAILED
    lost = recovery.result("media_plan")
    assert lost["lost"] == done["assets_affected"] - done["restorable"]
    assert len(recovery.wrong()) == lost["lost"]
    before = recovery.effects("upload")
    assert recovery.recover(files=str(copies)).code is ExitCode.DONE
    assert recovery.wrong() == []
    assert recovery.effects("upload") == before + lost["lost"]


def test_overwritten(recovery: MediaRecovery, copies: Path) -> None:
    done = recovery.damage("overwritten")
    assert recovery.recover(files=str(copies)).code is ExitCode.DONE
    assert recovery.wrong() == []
    assert recovery.result("media_restore")["restored"] == done["assets_affected"]


def test_overwritten_and_nothing_knows_the_originals(recovery: MediaRecovery, copies: Path) -> None:
    since = recovery.quiet_moment()
    recovery.damage("overwritten")
    ending = recovery.recover()
    assert ending.code is ExitCode.CHECK_FAILED
    assert ending.error is not None
    assert "--replaced-since" in ending.error.message
    assert recovery.recover(accept_replaced=True).code is ExitCode.DONE
    assert recovery.recover(replaced_since=since).code is ExitCode.DONE
    assert recovery.wrong() == []
    # what the run before put back is no suspicion any more; other tests' repairs still are
    assert recovery.recover(files=str(copies)).code is ExitCode.DONE


def test_into_another_cloud(recovery: MediaRecovery, media_site: Live, copies: Path) -> None:
    other = media_site.contract["cloudinary"]["accounts"][1]["cloud"]
    assert recovery.recover(files=str(copies), cloud=other).code is ExitCode.DONE
    assert recovery.wrong(1) == []
    values = media_site.get(f"/apps/{media_site.app}/config-vars")
    assert (values["CLOUDINARY_CLOUD_NAME"], values["USE_CLOUDINARY"]) == (other, "True")
    before = recovery.effects("upload")
    assert recovery.recover(files=str(copies), cloud=other).code is ExitCode.DONE
    assert recovery.effects("upload") == before
    assert recovery.recover(accept_replaced=True).code is ExitCode.DONE
    assert media_site.get(f"/apps/{media_site.app}/config-vars")["CLOUDINARY_CLOUD_NAME"] != other


def test_a_service_that_is_down_and_credentials_that_are_revoked(recovery: MediaRecovery) -> None:
    effects = recovery.effects("upload"), recovery.effects("restore")
    for how in ("service-down", "credentials-revoked"):
        recovery.damage(how)
        ending = recovery.recover()
        assert ending.code is ExitCode.FAILED
        assert ending.error is not None
        assert ending.error.next_action
        recovery.damage(how, undo=True)
    assert (recovery.effects("upload"), recovery.effects("restore")) == effects
    assert recovery.recover(accept_replaced=True).code is ExitCode.DONE
