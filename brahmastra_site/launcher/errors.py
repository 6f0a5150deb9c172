"""What the launcher refuses to do, each as one line a person can act on."""

from __future__ import annotations


class LauncherError(Exception):
    """A launcher cannot go on; the message is one line saying what, where and what was expected."""
