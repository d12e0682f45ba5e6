from django.urls import path

from medical_certificates import views

urlpatterns = [
    path("certificates/", views.certificates),
    path("certificates/<int:pk>/render/", views.render),
    path("certificates/<int:pk>/render_pdf/", views.render_pdf),
]
