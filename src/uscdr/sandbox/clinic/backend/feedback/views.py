"""What patients said, and who has not answered yet."""

from django.db.models import Avg, Count

from feedback.models import Feedback
from patients.models import MedicalRecord, Patient
from utils.api import MANAGERS, Refused, api, require

RATINGS = range(1, 6)
PENDING_SHOWN = 50


@api(methods=("GET", "POST"))
def feedback(request):
    """List the answers (managers), or leave one about the own patient."""
    if request.method == "POST":
        return create(request)
    if request.user.role not in MANAGERS and not request.user.is_superuser:
        raise Refused(403, {"detail": "You do not have permission to perform this action."})
    columns = ("id", "patient_id", "medical_record_id", "rating", "staff_rating", "comments", "created_at")
    return list(Feedback.objects.values(*columns))


def create(request):
    """Check the form and store it."""
    require(request.data, "rating")
    if str(request.data["rating"]) not in map(str, RATINGS):
        raise Refused(400, {"rating": ["Must be from 1 to 5."]})
    patient = Patient.objects.filter(user=request.user).first()
    if patient is None:
        raise Refused(400, {"patient": ["This account has no patient."]})
    row = Feedback.objects.create(
        patient=patient, rating=int(request.data["rating"]), comments=str(request.data.get("comments", ""))
    )
    return {"id": row.pk, "rating": row.rating}


@api(roles=MANAGERS)
def analytics(request):
    """Return count, average and distribution."""
    counts = dict(Feedback.objects.order_by().values_list("rating").annotate(Count("id")))
    return {
        "total_feedback": sum(counts.values()),
        "average_rating": Feedback.objects.aggregate(average=Avg("rating"))["average"],
        "rating_distribution": {str(rating): counts.get(rating, 0) for rating in RATINGS},
    }


@api()
def pending(request):
    """Return the newest own visits that have no answer."""
    rows = MedicalRecord.objects.filter(patient__user=request.user, feedback=None)[:PENDING_SHOWN]
    return [{"medical_record": row.pk, "visit_date": row.visit_date} for row in rows]
