from django.contrib import admin

from feedback.models import Feedback

admin.site.register([Feedback])
