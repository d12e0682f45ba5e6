from django.contrib import admin

from authentication.models import SafeEmail, User, VerificationCode


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ["email", "role", "is_verified", "is_active"]
    list_filter = ["role", "is_verified"]
    search_fields = ["email", "last_name"]
    exclude = ["password"]
    readonly_fields = ["last_login"]


admin.site.register([SafeEmail, VerificationCode])
