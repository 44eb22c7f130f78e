"""A verified result for other programs: tables for pandas, and the formats that others read."""

from kit.exchange.loading import Result, load

__all__ = ["Result", "load"]
