"""From a declared grid to one choice per method, on records that no table reports."""
