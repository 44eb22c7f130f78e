"""Export a verified result: tables for pandas, and formats of other programs."""

from kit.exchange.loading import Result, load

__all__ = ["Result", "load"]
