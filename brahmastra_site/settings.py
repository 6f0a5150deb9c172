"""Settings: one file, read from the environment, loud about what is missing.

Production is the same file with `DJANGO_SECRET_KEY`, `DJANGO_ALLOWED_HOSTS`, `DATABASE_URL`,
`REDIS_URL` and friends set; without them the launcher supplies private servers under `VAR_DIR`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from journal.secrets import read_or_create_secret

BASE_DIR = Path(__file__).resolve().parent.parent
BUILD: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
env = environ.Env()

VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()
DEBUG = env.bool("DJANGO_DEBUG", default=False)
SECRET_KEY = env.str("DJANGO_SECRET_KEY", default="") or read_or_create_secret(
    VAR_DIR / "secrets" / "django.key"
)
ALLOWED_HOSTS = env.list("DJANGO_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
HTTPS = env.bool("DJANGO_HTTPS", default=False)
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # without one, only people read /metrics

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "csp",
    "axes",
    "django_htmx",
    "template_partials",
    "brahmastra_site",
    "journal",
    "trading",
    "replay",
    "diagnostics",
]

MIDDLEWARE = [
    "brahmastra_site.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "brahmastra_site.middleware.DatabaseDownMiddleware",
    "brahmastra_site.middleware.FragmentSignInMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "brahmastra_site.urls"
ASGI_APPLICATION = "brahmastra_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "brahmastra_site.context_processors.frame",
            ],
        },
    },
]

# --- data -----------------------------------------------------------------------------------------

DATABASE_POOL = env.bool("DATABASE_POOL", default=False)


def _database(variable: str, url: str) -> dict[str, object]:
    """Return the settings of one alias from a libpq URL, read by libpq's own parser (unix sockets,
    sslmode and all).
    """
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError as error:
        raise ImproperlyConfigured(f"{variable} must be a postgresql:// URL: {error}") from None
    if not parts.get("dbname"):
        raise ImproperlyConfigured(
            f"{variable} must name a database: postgresql://user@host/database"
        )
    options: dict[str, object] = {
        "options": f"{parts.pop('options', '')} -c search_path=app,audit".strip()
    }
    if DATABASE_POOL:
        # For the web process alone: threads of a pool do not survive the fork of a Celery worker.
        options["pool"] = {"min_size": 2, "max_size": 8, "timeout": 10}
    names = {
        "NAME": "dbname",
        "USER": "user",
        "PASSWORD": "password",
        "HOST": "host",
        "PORT": "port",
    }
    config: dict[str, object] = {name: parts.pop(part, "") for name, part in names.items()}
    # Persistent connections leak under ASGI, so each request takes its own (or one of the pool).
    return config | {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 0,
        "OPTIONS": {**parts, **options},
    }


_WEB_URL = env.str("DATABASE_URL", default="") or "postgresql://brahmastra_web@localhost/brahmastra"

# One database, seen by three roles: the site's, the mirror's, and the owner of the tables, whom
# only migrations and rebuilds use.
DATABASES = {
    "default": _database("DATABASE_URL", _WEB_URL),
    "mirror": _database(
        "MIRROR_DATABASE_URL", env.str("MIRROR_DATABASE_URL", default="") or _WEB_URL
    ),
    "owner": _database("AUDIT_OWNER_URL", env.str("AUDIT_OWNER_URL", default="") or _WEB_URL),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="") or "redis://127.0.0.1:6379/0"


def _broker_url(url: str) -> str:
    """Return `url` as Celery spells it: redis-py says `unix://PATH?db=N`, Celery
    `redis+socket://PATH?virtual_host=N`.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ImproperlyConfigured(
            f"REDIS_URL must begin with redis://, rediss:// or unix://, not {parts.scheme}://"
        )
    if parts.scheme != "unix":
        return url
    return f"redis+socket://{parts.path}?{parts.query.replace('db=', 'virtual_host=')}"


CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # A read blocks for 5 s in BZPOPMIN, so the socket timeout must be longer
            # (django/channels_redis#422).
            "hosts": [{"address": REDIS_URL, "socket_timeout": 30}],
            "capacity": 50,
            "expiry": 10,
            "group_expiry": 3600,
        },
    },
}

CELERY_BROKER_URL = _broker_url(REDIS_URL)
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
# A row in Postgres says how a task stands; Celery only carries it.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TRACK_STARTED = True
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 20
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5.0
CELERY_TASK_ROUTES = {"replay.tasks.replay_run_task": {"queue": "replay"}}
CELERY_BEAT_SCHEDULE = {
    "range-verifications-reap": {
        "task": "journal.tasks.range_verifications_reap_task",
        "schedule": 10.0,
        "options": {"expires": 10.0},
    },
    "replay-runs-reap": {
        "task": "replay.tasks.replay_runs_reap_task",
        "schedule": 10.0,
        "options": {"expires": 10.0},
    },
}

# --- people ---------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "brahmastra_site.backends.RoleBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "brahmastra_site.errors.locked_out"
CSRF_FAILURE_VIEW = "brahmastra_site.errors.csrf_failure"

# --- security -------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None

# --- words, numbers, files ------------------------------------------------------------------------

LANGUAGE_CODE = "en-in"
TIME_ZONE = "Asia/Kolkata"
USE_TZ = True
USE_I18N = True
USE_THOUSAND_SEPARATOR = True
FORMAT_MODULE_PATH = ["brahmastra_site.formats"]

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Names with a digest of the content, so that browsers may keep them for ever; they exist once
# `collectstatic` has run.
STATIC_MANIFEST = env.bool("DJANGO_STATIC_MANIFEST", default=not DEBUG)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if STATIC_MANIFEST
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        ),
    },
}
WHITENOISE_USE_FINDERS = not STATIC_MANIFEST
