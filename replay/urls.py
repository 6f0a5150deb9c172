"""The addresses of replay."""

from __future__ import annotations

from django.urls import path

from replay import views

app_name = "replay"
urlpatterns = [
    path("", views.runs, name="runs"),
    path("start/", views.start, name="start"),
    path("<uuid:run_id>/", views.run_detail, name="run-detail"),
    path("<uuid:run_id>/stop/", views.stop, name="stop"),
]
