"""The addresses of signals, of Why and of the surface."""

from __future__ import annotations

from django.urls import path

from trading import views

app_name = "trading"
urlpatterns = [
    path("signals/", views.signals, name="signals"),
    path("signals/<slug:session>/<int:seq>/", views.signal_detail, name="signal-detail"),
    path("surface/", views.surface, name="surface"),
    path("why/<slug:session>/<int:seq>/", views.why, name="why"),
]
