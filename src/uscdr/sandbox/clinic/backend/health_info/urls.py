from django.urls import path

from health_info import views

urlpatterns = [
    path("campaigns/", views.campaigns),
    path("campaigns/<int:pk>/", views.campaign),
    path("health-information/", views.articles),
    path("health-information/<int:pk>/", views.article),
]
