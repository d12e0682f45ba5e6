"""What every API view shares: token, role, method, body and paging."""

import functools
import json

from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt

from authentication.models import Token, User

CLINIC = frozenset({User.Role.ADMIN, User.Role.STAFF, User.Role.DOCTOR, User.Role.DENTIST, User.Role.NURSE})
MANAGERS = frozenset({User.Role.ADMIN, User.Role.STAFF})
EVERYBODY = frozenset(User.Role)
PAGE = 20
MAX_PAGE = 100


class Refused(Exception):
    """An answer that ends the request."""

    def __init__(self, status, body):
        super().__init__(status)
        self.status = status
        self.body = body


def api(*, methods=("GET",), roles=EVERYBODY, public=False, forms_only=False):
    """Make a view an API endpoint: 405, 401, 403, and `request.data` from JSON or a form, or from a form only."""

    def decorate(view):
        @csrf_exempt
        @functools.wraps(view)
        def endpoint(request, **captured):
            try:
                check_method(request, methods)
                if not public:
                    request.user = account(request)
                    check_role(request.user, roles)
                request.data = body(request, forms_only=forms_only)
                answer = view(request, **captured)
            except Refused as refusal:
                answer = JsonResponse(refusal.body, status=refusal.status, safe=False)
            return answer if not isinstance(answer, (dict, list)) else JsonResponse(answer, safe=False)

        return endpoint

    return decorate


def check_method(request, methods):
    """Refuse with 405 what the endpoint does not do."""
    if request.method not in methods:
        raise Refused(405, {"detail": f'Method "{request.method}" not allowed.'})


def account(request):
    """Return the account of the request's token, or refuse with 401."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Token" or not key:
        raise Refused(401, {"detail": "Authentication credentials were not provided."})
    token = Token.objects.select_related("user").filter(key=key.strip(), user__is_active=True).first()
    if token is None:
        raise Refused(401, {"detail": "Invalid token."})
    return token.user


def check_role(user, roles):
    """Refuse with 403 an account that is not verified, or whose role may not."""
    if not user.is_verified:
        raise Refused(403, {"detail": "Please verify your email address."})
    if user.role not in roles and not user.is_superuser:
        raise Refused(403, {"detail": "You do not have permission to perform this action."})


def body(request, *, forms_only):
    """Return the fields that were sent, or refuse with 400; with 500 JSON where only forms are parsed."""
    if request.method in {"GET", "HEAD", "DELETE"}:
        return {}
    if "json" not in (request.content_type or ""):
        return request.POST.dict()
    if forms_only:
        raise Refused(500, {"detail": f'Unsupported media type "{request.content_type}" in request.'})
    try:
        fields = json.loads(request.body or b"{}")
    except ValueError as error:
        raise Refused(400, {"detail": "JSON parse error"}) from error
    if not isinstance(fields, dict):
        raise Refused(400, {"non_field_errors": ["Invalid data. Expected a dictionary."]})
    return fields


def require(data, *names):
    """Refuse with 400 and one message a field when some are missing or empty."""
    errors = missing(data, *names)
    if errors:
        raise Refused(400, errors)


def missing(data, *names):
    """Return one message for each field that is missing or empty."""
    return {name: ["This field is required."] for name in names if data.get(name) in {None, ""}}


def found(queryset, **lookup):
    """Return one row, or refuse with 404."""
    row = queryset.filter(**lookup).first()
    if row is None:
        raise Refused(404, {"detail": "Not found."})
    return row


def paged(request, queryset, as_json):
    """Return one page in the `count`, `next`, `previous`, `results` form."""
    page = number(request, "page", default=1, most=1_000_000)
    size = number(request, "page_size", default=PAGE, most=MAX_PAGE)
    count = queryset.count()
    rows = queryset[(page - 1) * size : page * size]
    if page > 1 and not rows:
        raise Refused(404, {"detail": "Invalid page."})
    return {
        "count": count,
        "next": link(request, page + 1) if page * size < count else None,
        "previous": link(request, page - 1) if page > 1 else None,
        "results": [as_json(row) for row in rows],
    }


def number(request, name, *, default, most):
    """Read a positive number from the query; anything else is the default."""
    text = request.GET.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdigit() and int(text) > 0 else default


def link(request, page):
    """Return this request's address with another page."""
    query = request.GET.copy()
    query["page"] = page
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
