from django.contrib import admin

from notifications.models import GlobalEmailSettings, Notification, NotificationTemplate, SystemEmailConfiguration

admin.site.register([GlobalEmailSettings, Notification, NotificationTemplate, SystemEmailConfiguration])
