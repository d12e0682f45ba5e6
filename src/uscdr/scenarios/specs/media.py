"""The steps of `recover media`."""

from __future__ import annotations

from uscdr.engine.step import Effect
from uscdr.scenarios.specs.spec import ASSESS, RECOVER, StepSpec
from uscdr.scenarios.steps.media_decide import MediaDecide
from uscdr.scenarios.steps.media_look import MediaLook
from uscdr.scenarios.steps.media_plan import MediaRepairs
from uscdr.scenarios.steps.media_restore import RestoreBackups
from uscdr.scenarios.steps.media_settings import MediaSettingsStep
from uscdr.scenarios.steps.media_upload import UploadCopies
from uscdr.scenarios.steps.media_verify import VerifyMedia, VerifyParams

SPECS = (
    StepSpec(
        "media.look",
        "Media as they stand",
        "media",
        ASSESS,
        Effect.READ,
        MediaLook,
        manual=(
            "cld admin ping",
            "cld admin usage",
            "cld admin resources max_results=500 resource_type=image   # and raw, video; next_cursor=… for more",
        ),
    ),
    StepSpec(
        "media.plan",
        "What comes back from where",
        "media_plan",
        ASSESS,
        Effect.READ,
        MediaRepairs,
        manual=("cld admin resource $PUBLIC_ID versions=true",),
    ),
    StepSpec(
        "media.decide",
        "Decide",
        "decide",
        ASSESS,
        Effect.IDEMPOTENT,
        MediaDecide,
        destructive=True,
        manual=("cld config   # the right cloud?",),
    ),
    StepSpec(
        "media.restore_backups",
        "Restore from the service's own backup",
        "media_restore",
        RECOVER,
        Effect.IDEMPOTENT,
        RestoreBackups,
        manual=("cld admin restore $PUBLIC_ID resource_type=$TYPE   # 100 ids a call",),
    ),
    StepSpec(
        "media.upload",
        "Upload copies of what is missing",
        "media_upload",
        RECOVER,
        Effect.IDEMPOTENT,
        UploadCopies,
        manual=("cld uploader upload $FILE public_id=$PUBLIC_ID resource_type=$TYPE overwrite=true tags={tag}",),
    ),
    StepSpec(
        "media.settings",
        "Media config vars",
        "media_settings",
        RECOVER,
        Effect.IDEMPOTENT,
        MediaSettingsStep,
        manual=(
            "heroku config:set USE_CLOUDINARY=True CLOUDINARY_CLOUD_NAME=$CLOUD $KEY_AND_SECRET --app {app}",
            "# only for another cloud; CLOUDINARY_API_KEY=… and CLOUDINARY_API_SECRET=… in the SAME call",
        ),
    ),
    StepSpec(
        "media.verify",
        "Every file, and the bytes of a sample",
        "media_verify",
        RECOVER,
        Effect.READ,
        VerifyMedia,
        VerifyParams,
        manual=("cld admin resources max_results=500 resource_type=image", "heroku open --app {app}   # a campaign"),
    ),
)
