"""The addresses of the site, each listed role by role in tests/brahmastra_site/test_roles.py."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from brahmastra_site import views

urlpatterns = [
    path("", views.home, name="home"),
    path(
        "sign-in/",
        LoginView.as_view(
            template_name="sign_in.html",
            authentication_form=views.SignInForm,
            redirect_authenticated_user=True,
        ),
        name="sign-in",
    ),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("live/", views.live, name="live"),
    path("stop/", views.stop, name="stop"),
    path("metrics", views.metrics, name="metrics"),
    path("", include("trading.urls")),
    path("journal/", include("journal.urls")),
    path("replay/", include("replay.urls")),
    # One way in: the admin's own sign-in form knows neither our words nor our page.
    path("admin/login/", views.admin_sign_in),
    path("admin/", admin.site.urls),
]

handler400 = "brahmastra_site.errors.bad_request"
handler403 = "brahmastra_site.errors.permission_denied"
handler404 = "brahmastra_site.errors.page_not_found"
handler500 = "brahmastra_site.errors.server_error"
