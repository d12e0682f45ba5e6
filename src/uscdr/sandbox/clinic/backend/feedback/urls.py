from django.urls import path

from feedback import views

urlpatterns = [path("", views.feedback), path("analytics/", views.analytics), path("pending/", views.pending)]
