"""How signing in at a provider ends where it does not succeed. What each says is for the log, not for the browser."""

from __future__ import annotations


class RefusedByProvider(Exception):
    """The provider sent the person back with an error: he declined, or may not sign in there."""


class NotProven(Exception):
    """The answer proves nothing: it is not ours, was changed, was used, or is about something else."""


class ProviderAway(Exception):
    """The provider cannot be reached, is too slow, or says what cannot be read."""


class NotReached(ProviderAway):
    """No answer came: no connection, or none in time."""
