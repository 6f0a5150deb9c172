"""The event table in Django's admin: to look at, never to change.

Built for tables of millions of rows: nothing is counted beyond a bound, nothing is searched that
has no index, and older rows are reached by key, not by page number.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q
from django.utils.html import format_html

from journal.events import KINDS
from journal.figures import ist_text
from journal.models import Event, Session

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

    from journal.models import EventQuerySet

COUNTED_ROWS = 10_000
PRECISE = "%d %b %Y %H:%M:%S.%f IST"


class BoundedPaginator(Paginator):
    """Counts up to COUNTED_ROWS and offers no page beyond: never COUNT(*) of everything."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or COUNTED_ROWS when there are more."""
        return min(self._bounded, COUNTED_ROWS)

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than were counted."""
        return self._bounded > COUNTED_ROWS

    @cached_property
    def _bounded(self) -> int:
        rows: QuerySet[Event] = self.object_list  # type: ignore[assignment]
        return rows[: COUNTED_ROWS + 1].count()


class EventChangeList(ChangeList):
    """Adds the link to what is older than the last row shown: one step by key."""

    @property
    def older(self) -> str:
        """The query string of the rows before the last one of this page."""
        last = list(self.result_list)[-1]
        return self.get_query_string({"id__lt": last.id}, remove=["p"])


class SessionFilter(admin.SimpleListFilter):
    """One session: one partition."""

    title = "session"
    parameter_name = "session"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Event]
    ) -> list[tuple[str, str]]:
        sessions = Session.objects.order_by("-number").values_list("number", "name")
        return [(str(number), name) for number, name in sessions]

    def queryset(self, request: HttpRequest, queryset: EventQuerySet) -> EventQuerySet:
        value = self.value()
        if value is None:
            return queryset
        return queryset.of_session(int(value)) if value.isdecimal() else queryset.none()


class KindFilter(admin.SimpleListFilter):
    """One kind, of the kinds there are: the table is not asked which it holds."""

    title = "kind"
    parameter_name = "kind"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Event]
    ) -> list[tuple[str, str]]:
        return [(kind, kind) for kind in sorted(KINDS)]

    def queryset(self, request: HttpRequest, queryset: EventQuerySet) -> EventQuerySet:
        value = self.value()
        return queryset if value is None else queryset.filter(kind=value)


@admin.register(Event)
class EventAdmin(admin.ModelAdmin):
    """Read-only: the database refuses what this page does not offer."""

    actions = None
    list_display = ("event", "time", "kind", "key", "causes", "short_hash")
    list_display_links = ("event",)
    list_filter = (SessionFilter, KindFilter)
    list_per_page = 100
    ordering = ("-id",)
    paginator = BoundedPaginator
    search_fields = ("key", "kind", "seq")
    search_help_text = (
        "A whole key (S4:NIFTY, an order, a trade), a kind, a seq, or <session>.<seq>"
    )
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    fields = (
        "event",
        "time",
        "kind",
        "key",
        "causes",
        "place",
        "hash",
        "prev",
        "line_as_stored",
        "body",
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST":
            raise PermissionDenied
        return super().changelist_view(request, extra_context)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EventChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: EventQuerySet, search_term: str
    ) -> tuple[EventQuerySet, bool]:
        """Ask only what an index answers; Django's own search casts numbers to text."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term in KINDS:
            return queryset.filter(kind=term), False
        session, _, seq = term.rpartition(".")
        if not _is_seq(seq):
            return queryset.filter(key=term), False
        if not session:
            return queryset.filter(seq=int(seq)), False
        # A trade's or an order's key looks like an event's id too.
        found = Q(key=term)
        number = Session.objects.filter(name=session).values_list("number", flat=True).first()
        if number is not None:
            ids = Event.objects.of_session(number).filter(seq=int(seq)).values_list("id", flat=True)
            found |= Q(id__in=list(ids))
        return queryset.filter(found), False

    @admin.display(description="event")
    def event(self, event: Event) -> str:
        return event.public_id

    @admin.display(description="time")
    def time(self, event: Event) -> str:
        return ist_text(event.ts, PRECISE)

    @admin.display(description="caused by")
    def causes(self, event: Event) -> str:
        return ", ".join(f"{event.session}.{seq}" for seq in event.cause) or "–"

    @admin.display(description="hash")
    def short_hash(self, event: Event) -> str:
        return event.hash[:16]

    @admin.display(description="place in the log")
    def place(self, event: Event) -> str:
        return (
            f"{event.file}, line {event.line}, byte {event.file_offset}, "
            f"{event.length} bytes with the newline"
        )

    @admin.display(description="line")
    def line_as_stored(self, event: Event) -> SafeString:
        note = (
            "The store keeps a summary of this kind's data; the log has the line this hash is of."
            if event.is_summarised
            else "The exact line the hash is of."
        )
        return format_html("<p>{}</p><pre>{}</pre>", note, event.raw)

    @admin.display(description="body")
    def body(self, event: Event) -> SafeString:
        text = json.dumps(event.payload, indent=2, ensure_ascii=False)
        return format_html("<pre>{}</pre>", text)


def _is_seq(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
