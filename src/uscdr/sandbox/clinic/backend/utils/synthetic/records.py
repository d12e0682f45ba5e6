"""What the clinic recorded about the patients, one row at a time."""

import json
from datetime import timedelta

from utils.synthetic import words
from utils.synthetic.people import pick

MADE = ("created_by_id", "created_at", "updated_at")
MEDICAL_COLUMNS = (
    "id", "patient_id", "visit_date", "diagnosis", "treatment", "notes", "vital_signs", "laboratory_results", *MADE,
)  # fmt: skip
DENTAL_COLUMNS = (
    "patient_id", "visit_date", "procedure", "diagnosis", "treatment", "tooth_numbers", "xray_images", "photos",
    "documents", "cost", *MADE,
)  # fmt: skip
CONSULTATION_COLUMNS = ("patient_id", "date_time", "chief_complaints", "treatment_plan", "remarks", *MADE)
CERTIFICATE_COLUMNS = (
    "patient_id", "template_id", "diagnosis", "recommendations", "valid_from", "valid_until", "fitness_status",
    "approval_status", "issued_by_id", "approved_by_id", "created_at", "updated_at",
)  # fmt: skip
FEEDBACK_COLUMNS = (
    "patient_id", "medical_record_id", "rating", "staff_rating", "comments", "courteous", "recommend",
    "improvement", "created_at",
)  # fmt: skip
DOCUMENT_COLUMNS = (
    "patient_id", "file", "original_filename", "document_type", "content_type", "file_size", "uploaded_by_id",
    "created_at",
)  # fmt: skip
NOTIFICATION_COLUMNS = (
    "recipient_id", "patient_id", "template_id", "title", "message", "status", "action_url", "sent_at", "created_at",
)  # fmt: skip
MOST_DOCUMENTS = 500


def later(plan, index, rng):
    """Return a time between the patient's registration and now."""
    arrival = plan.arrival(index)
    return arrival + (plan.now - arrival) * rng.random()


def medical(plan):
    """Yield one record a patient, and a second one for every fifth."""
    rng = plan.rng("medical")
    visits = [*range(plan.patients), *range(0, plan.patients, 5)]
    for number, index in enumerate(visits):
        made = later(plan, index, rng) if number >= plan.patients else plan.arrival(index)
        vital = {"temperature": round(36 + rng.random() * 2, 1), "pulse": 60 + int(rng.random() * 40)}
        yield (
            plan.first_record + number, plan.first_patient + index, made.date(), pick(rng, words.DIAGNOSES),
            pick(rng, words.TREATMENTS), pick(rng, words.COMPLAINTS), json.dumps(vital), "{}",
            plan.staff[index % len(plan.staff)], made, made,
        )  # fmt: skip


def dental(plan, *, xray):
    """Yield a dental visit for every third patient; every 30th one up to 20 has a picture at `xray(name)`."""
    rng = plan.rng("dental")
    for number, index in enumerate(range(0, plan.patients, 3)):
        made = later(plan, index, rng)
        pictured = number % 10 == 0 and number < 200  # noqa: PLR2004 - a bounded sample
        pictures = [xray(f"dental/xrays/xray_{plan.first_patient + index}.jpg")] if pictured else []
        yield (
            plan.first_patient + index, made.date(), pick(rng, words.PROCEDURES), "Caries", "As planned",
            str(11 + int(rng.random() * 8)), json.dumps(pictures), "[]", "[]",
            round(rng.random() * 2000, 2), plan.staff[index % len(plan.staff)], made, made,
        )  # fmt: skip


def consultations(plan):
    """Yield a conversation with every second patient."""
    rng = plan.rng("consultations")
    for index in range(0, plan.patients, 2):
        made = later(plan, index, rng)
        yield (
            plan.first_patient + index, made, pick(rng, words.COMPLAINTS), pick(rng, words.TREATMENTS), "",
            plan.staff[index % len(plan.staff)], made, made,
        )  # fmt: skip


def certificates(plan, *, template):
    """Yield a certificate for every tenth patient with an account: it would keep a walk-in from being deleted."""
    rng = plan.rng("certificates")
    for index in range(0, plan.patients - plan.walk_ins, 10):
        made, doctor = later(plan, index, rng), plan.staff[index % len(plan.staff)]
        yield (
            plan.first_patient + index, template, pick(rng, words.DIAGNOSES), pick(rng, words.TREATMENTS),
            made.date(), made.date() + timedelta(days=30), "fit", "approved", doctor, doctor, made, made,
        )  # fmt: skip


def feedback(plan):
    """Yield what every fourth patient said about the first visit."""
    rng = plan.rng("feedback")
    for index in range(0, plan.patients, 4):
        yield (
            plan.first_patient + index, plan.first_record + index, 1 + int(rng.random() * 5),
            1 + int(rng.random() * 5), pick(rng, words.COMMENTS), "yes", "yes", "", later(plan, index, rng),
        )  # fmt: skip


def documents(plan):
    """Yield a document for every tenth patient, no more than MOST_DOCUMENTS."""
    rng = plan.rng("documents")
    for index in list(range(0, plan.patients, 10))[:MOST_DOCUMENTS]:
        name = f"document_{plan.first_patient + index}.pdf"
        yield (
            plan.first_patient + index, f"patient_documents/{name}", name, "LAB_RESULT", "application/pdf",
            10_000 + int(rng.random() * 90_000), plan.staff[0], later(plan, index, rng),
        )  # fmt: skip


def notifications(plan, *, template, site):
    """Yield a message to every second patient with an account; every twentieth still waits."""
    rng = plan.rng("notifications")
    for index in range(0, plan.patients - plan.walk_ins, 2):
        made, waits = later(plan, index, rng), index % 20 == 0
        yield (
            plan.first_user + index, plan.first_patient + index, template, "How was your visit?",
            "Please tell us about your visit.", "PENDING" if waits else "SENT", f"{site}/feedback",
            None if waits else made, made,
        )  # fmt: skip
