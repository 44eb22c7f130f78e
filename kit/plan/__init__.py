"""Every job of a manifest and its digest; every name is resolved before any work."""
