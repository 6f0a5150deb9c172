"""What people did at the desk: who came and went, who stopped trading, who asked for what."""

from __future__ import annotations

from operator import attrgetter

from journal.payloads.registry import payload_of
from journal.payloads.shapes import Count, Positive, Shape, Text

key_of = attrgetter("id")


class DeskShape(Shape, frozen=True):
    """What every act at the desk says.

    id: id of the record; the same id again is written once.
    actor: who did it, by the name they gave.
    address: where the actor sat: an IP address, or `local`.
    reason: why, in the actor's words; empty where none is asked for.
    at: when it was done, wall clock, µs UTC.
    """

    id: Text
    actor: Text
    address: Text
    reason: str
    at: Count


@payload_of("desk.signed_in", key=key_of, key_text="`id`")
class SignedIn(DeskShape, frozen=True):
    """Someone signed in.

    id: id of the record; the same id again is written once.
    actor: who.
    address: where the actor sat: an IP address, or `local`.
    reason: empty.
    at: when, wall clock, µs UTC.
    """


@payload_of("desk.signed_out", key=key_of, key_text="`id`")
class SignedOut(DeskShape, frozen=True):
    """Someone signed out.

    id: id of the record; the same id again is written once.
    actor: who.
    address: where the actor sat: an IP address, or `local`.
    reason: empty.
    at: when, wall clock, µs UTC.
    """


@payload_of("desk.sign_in_failed", key=key_of, key_text="`id`")
class SignInFailed(DeskShape, frozen=True):
    """Someone was not let in.

    id: id of the record; the same id again is written once.
    actor: the name that was given; it may be nobody's.
    address: where the actor sat: an IP address, or `local`.
    reason: empty.
    at: when, wall clock, µs UTC.
    """


@payload_of("desk.locked_out", key=key_of, key_text="`id`")
class LockedOut(DeskShape, frozen=True):
    """Someone failed to sign in too often and may not try again for a while.

    id: id of the record; the same id again is written once.
    actor: the name that was given; it may be nobody's.
    address: where the actor sat: an IP address, or `local`.
    reason: empty.
    at: when, wall clock, µs UTC.
    """


@payload_of("desk.stop_pressed", key=key_of, key_text="`id`")
class StopPressed(DeskShape, frozen=True):
    """Someone stopped trading.

    id: id of the record; the same id again is written once.
    actor: who.
    address: where the actor sat: an IP address, or `local`.
    reason: why, in the actor's words.
    at: when, wall clock, µs UTC.
    sessions: the sessions that were told.
    everywhere: whether the file `KILL` stops whatever starts later.
    problems: what could not be stopped, one line each.
    """

    sessions: list[Text]
    everywhere: bool
    problems: list[Text]


@payload_of("desk.exported", key=key_of, key_text="`id`")
class Exported(DeskShape, frozen=True):
    """Someone took events out of the house: a download.

    id: id of the record; the same id again is written once.
    actor: who.
    address: where the actor sat: an IP address, or `local`.
    reason: empty, or why in the actor's words.
    at: when, wall clock, µs UTC.
    session: the session the events are of.
    what: what was taken, such as the name of a file or the filters of a list.
    """

    session: Text
    what: Text


@payload_of("desk.verification_asked", key=key_of, key_text="`id`")
class VerificationAsked(DeskShape, frozen=True):
    """Someone asked whether a range of lines holds.

    id: id of the record; the same id again is written once.
    actor: who.
    address: where the actor sat: an IP address, or `local`.
    reason: empty, or why in the actor's words.
    at: when, wall clock, µs UTC.
    session: the session asked about.
    first_line: first line of the range.
    last_line: last line of the range.
    """

    session: Text
    first_line: Positive
    last_line: Positive


@payload_of("desk.replay_asked", key=key_of, key_text="`id`")
class ReplayAsked(DeskShape, frozen=True):
    """Someone asked for a replay.

    id: id of the record; the same id again is written once.
    actor: who.
    address: where the actor sat: an IP address, or `local`.
    reason: empty.
    at: when, wall clock, µs UTC.
    session: the session to replay.
    times: how many ways.
    run: id of the run that answers.
    """

    session: Text
    times: Positive
    run: Text


@payload_of("desk.mirror_rebuilt", key=key_of, key_text="`id`")
class MirrorRebuilt(DeskShape, frozen=True):
    """Someone had rows of the audit store dropped and filled again from the log.

    id: id of the record; the same id again is written once.
    actor: who.
    address: where the actor sat: an IP address, or `local`.
    reason: empty.
    at: when, wall clock, µs UTC.
    sessions: the sessions that were rebuilt.
    """

    sessions: list[Text]
