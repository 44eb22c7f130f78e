"""From pilot seeds to the limit within which the value of a fresh seed counts as the same."""
