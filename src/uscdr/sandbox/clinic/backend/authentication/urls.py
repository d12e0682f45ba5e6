from django.urls import path

from authentication import views

urlpatterns = [
    path("login/", views.login),
    path("logout/", views.logout),
    path("register/", views.register),
    path("profile/me/", views.me),
    path("complete-profile-setup/", views.complete_profile_setup),
    path("database-health/", views.database_health),
]
