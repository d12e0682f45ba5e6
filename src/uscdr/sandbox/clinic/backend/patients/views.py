"""Patients and their records: bare lists without pages, as the original answers them."""

from django.db.models import Count, Q

from authentication.models import User
from patients.models import Consultation, DentalRecord, MedicalRecord, Patient
from utils import encryption, jobs
from utils.api import CLINIC, Refused, api, found, require

NAMES = {"first_name": "First name", "last_name": "Last name"}
SEARCHED = ("first_name", "last_name", "email", "user__id_number")


def visible():
    """Return the patients whose account is a student's or a teacher's, or who have none: fewer than the table has."""
    theirs = Q(user__role__in=[User.Role.STUDENT, User.Role.FACULTY]) | Q(user=None)
    return Patient.objects.filter(theirs).select_related("user")


def patient_json(patient):
    """Return one patient with the medical records nested."""
    return {
        "id": patient.pk,
        "user": patient.user_id,
        "first_name": patient.first_name,
        "last_name": patient.last_name,
        "id_number": patient.user.id_number if patient.user else "",
        "date_of_birth": patient.date_of_birth,
        "gender": patient.gender,
        "email": patient.email,
        "phone_number": patient.phone_number,
        "address": patient.address,
        "created_at": patient.created_at,
        "medical_records": [record_json(record) for record in patient.medical_records.all()],
    }


def record_json(record):
    """Return one medical record."""
    return fields(
        record, "visit_date", "diagnosis", "treatment", "notes", "vital_signs", "laboratory_results", "created_at"
    )


def dental_json(record):
    """Return one dental record."""
    return fields(
        record,
        "visit_date",
        "procedure",
        "diagnosis",
        "treatment",
        "tooth_numbers",
        "xray_images",
        "photos",
        "documents",
        "cost",
        "created_at",
    )


def consultation_json(consultation):
    """Return one consultation."""
    return fields(consultation, "date_time", "chief_complaints", "treatment_plan", "remarks", "created_at")


def fields(row, *names):
    """Return the key, the patient and the named columns of a row."""
    return {"id": row.pk, "patient": row.patient_id, **{name: getattr(row, name) for name in names}}


@api(methods=("GET", "POST"), roles=CLINIC)
def patients(request):
    """List patients, all of them unless `search` is given; or add one."""
    if request.method == "POST":
        return create(request)
    rows = visible()
    for word in request.GET.get("search", "").split():
        matches = [Q(**{f"{column}__icontains": word}) for column in SEARCHED]
        rows = rows.filter(matches[0] | matches[1] | matches[2] | matches[3])
    return [patient_json(patient) for patient in rows.prefetch_related("medical_records")]


def create(request):
    """Add a patient; one with an account also tells the worker, and fails without a broker."""
    data = request.data
    problems = [f"{words} is required" for name, words in NAMES.items() if not str(data.get(name) or "").strip()]
    if data.get("user") and not User.objects.filter(pk=data["user"], patient=None).exists():
        problems.append("Account is unknown, or it has a patient already")
    if problems:
        raise Refused(400, {"detail": "Patient data validation failed", "errors": problems})
    patient = Patient.objects.create(
        user_id=data.get("user") or None,
        created_by=request.user,
        **{name: data.get(name, "") for name in ("first_name", "last_name", "email", "phone_number", "address")},
    )
    if patient.user_id:
        jobs.enqueue("patient_saved", patient=patient.pk)
    encryption.fill("patients_patient", Patient.ENCRYPTED, first_id=patient.pk)
    return {"id": patient.pk, "first_name": patient.first_name, "last_name": patient.last_name}


@api(roles=CLINIC)
def patient(request, pk):
    """Return one patient."""
    return patient_json(found(visible(), pk=pk))


def listing(model, as_json):
    """Make the endpoint of a model whose rows belong to a patient."""

    @api(methods=("GET", "POST"))
    def endpoint(request):
        if request.method == "POST":
            require(request.data, "patient", *model.REQUIRED)
            raise Refused(403, {"detail": "Records are added by the clinic's own client."})
        rows = model.objects.all()
        if request.user.role not in CLINIC and not request.user.is_superuser:
            rows = rows.filter(patient__user=request.user)
        wanted = request.GET.get("patient", "")
        if wanted:
            rows = rows.filter(patient_id=int(wanted)) if wanted.isdecimal() else rows.none()
        return [as_json(row) for row in rows]

    return endpoint


medical_records = listing(MedicalRecord, record_json)
dental_records = listing(DentalRecord, dental_json)
consultations = listing(Consultation, consultation_json)


@api(roles=CLINIC)
def dashboard_stats(request):
    """Return the totals of the first page."""
    roles = User.objects.values("role").annotate(accounts=Count("id")).order_by("role")
    return {
        "total_patients": visible().count(),
        "total_records": MedicalRecord.objects.count(),
        "total_dental_records": DentalRecord.objects.count(),
        "total_consultations": Consultation.objects.count(),
        "accounts": {row["role"]: row["accounts"] for row in roles},
    }
