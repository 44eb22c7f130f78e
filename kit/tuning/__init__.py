"""From a declared grid to one choice for each method, on records that no table reports."""
