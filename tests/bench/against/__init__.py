"""Side by side with how published code does it; `./run.sh bench peers` runs all of it.

A file compares the kit with one or two baselines. They are written here, in the manner of published
code, and do the same work on the same weights: whatever they find must equal what the kit finds.
"""
