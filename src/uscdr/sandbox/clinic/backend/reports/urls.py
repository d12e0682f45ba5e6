from django.urls import path

from reports import views

urlpatterns = [
    path("templates/", views.templates),
    path("templates/<int:pk>/generate/", views.generate),
    path("generated/", views.generated),
    path("generated/<int:pk>/", views.report),
    path("generated/<int:pk>/download/", views.download),
]
