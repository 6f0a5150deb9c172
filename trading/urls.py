"""The addresses of signals, of Why, of the surface and of the market store."""

from __future__ import annotations

from django.urls import path

from trading import market_views, views
from trading.risk_room import views as risk_views

app_name = "trading"
urlpatterns = [
    path("signals/", views.signals, name="signals"),
    path("signals/<slug:session>/<int:seq>/", views.signal_detail, name="signal-detail"),
    path("surface/", views.surface, name="surface"),
    path("why/<slug:session>/<int:seq>/", views.why, name="why"),
    path("risk/", risk_views.risk, name="risk"),
    path("risk/in-force/", risk_views.in_force, name="risk-in-force"),
    path("risk/portfolio/", risk_views.portfolio, name="risk-portfolio"),
    path("risk/reconciliation/", risk_views.reconciliation, name="risk-reconciliation"),
    path("risk/tell/", risk_views.tell, name="risk-tell"),
    path("market/", market_views.held, name="market"),
    path("market/coverage/", market_views.coverage, name="market-coverage"),
    path("market/rejections/", market_views.rejections, name="market-rejections"),
    path("market/files/", market_views.files, name="market-files"),
    path("market/figures/", market_views.figures, name="market-figures"),
    path("market/uncertain/", market_views.uncertain, name="market-uncertain"),
]
