"""From pilot seeds to the distance at which the value of a fresh seed counts as the same."""
