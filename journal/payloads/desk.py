"""What people did at the desk: who came and went, who stopped trading, who asked for what."""

from __future__ import annotations

from operator import attrgetter

from journal.payloads.registry import payload_of
from journal.payloads.shapes import Count, Digest, Positive, Shape, Text

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
    strategy: the one that was stopped; null for all.
    hold: whether what is held stays.
    """

    sessions: list[Text]
    everywhere: bool
    problems: list[Text]
    strategy: Text | None
    hold: bool


@payload_of("desk.stop_lifted", key=key_of, key_text="`id`")
class StopLifted(DeskShape, frozen=True):
    """Someone removed the file `KILL`: sessions that start from now on trade. Those it stopped stay
    stopped until they are re-armed.

    id: id of the record; the same id again is written once.
    actor: who.
    address: where the actor sat: an IP address, or `local`.
    reason: why, in the actor's words.
    at: when, wall clock, µs UTC.
    stops: what the file said, one reason a stop.
    """

    stops: list[str]


@payload_of("desk.downloaded", key=key_of, key_text="`id`")
class Downloaded(DeskShape, frozen=True):
    """Someone took bytes of a log out of the house.

    id: id of the record; the same id again is written once.
    actor: who.
    address: where the actor sat: an IP address, or `local`.
    reason: empty, or why in the actor's words.
    at: when, wall clock, µs UTC.
    session: the session they are of.
    file: name they were given.
    bytes: how many.
    sha256: SHA-256 of them, 64 hexadecimal digits.
    """

    session: Text
    file: Text
    bytes: Count
    sha256: Digest


@payload_of("desk.verification_asked", key=key_of, key_text="`id`")
class VerificationAsked(DeskShape, frozen=True):
    """Someone asked whether a range of lines holds.

    id: id of the record; the same id again is written once.
    actor: who.
    address: where the actor sat: an IP address, or `local`.
    reason: empty, or why in the actor's words.
    at: when, wall clock, µs UTC.
    session: the session asked about.
    range: the range, in words.
    """

    session: Text
    range: Text


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
