"""The steps of `./run.sh bench first_minutes`; each runs in a process of its own."""
