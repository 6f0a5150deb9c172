"""The addresses of the journal."""

from __future__ import annotations

from django.urls import path

from journal import views

app_name = "journal"
urlpatterns = [
    path("", views.sessions, name="sessions"),
    path("<slug:session>/<int:seq>/", views.event_detail, name="event-detail"),
]
