from django.urls import path

from file_uploads import views

urlpatterns = [
    path("uploads/", views.uploads),
    path("uploads/<int:pk>/", views.upload),
    path("patient-documents/", views.documents),
    path("patient-documents/<int:pk>/download/", views.download),
]
