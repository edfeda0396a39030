"""The public `wire`. Its home is `labkit.exchange`, so that importing that one does not hide `lk.wire` by a module."""

from labkit.exchange import wire

__all__ = ["wire"]
