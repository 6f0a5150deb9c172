"""The addresses of the journal."""

from __future__ import annotations

from django.urls import path

from journal import views

app_name = "journal"
urlpatterns = [
    path("", views.sessions, name="sessions"),
    path("<slug:session>/", views.events, name="events"),
    path("<slug:session>/<int:seq>/", views.event_detail, name="event-detail"),
    path("<slug:session>/lines/<int:line>/", views.line_detail, name="line-detail"),
    path("<slug:session>/files/", views.files, name="files"),
    path("<slug:session>/files/<str:day>.jsonl", views.download_day, name="download-day"),
    path("<slug:session>/files/<str:day>.jsonl.gz", views.download_packed, name="download-packed"),
    path("<slug:session>/lines.jsonl", views.download_lines, name="download-lines"),
    path("<slug:session>/verify/", views.verify, name="verify"),
    path(
        "<slug:session>/verifications/<uuid:verification_id>/",
        views.verification_detail,
        name="verification-detail",
    ),
    path(
        "<slug:session>/verifications/<uuid:verification_id>/stop/",
        views.verification_stop,
        name="verification-stop",
    ),
]
