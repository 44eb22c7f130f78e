"""The embedded world: a small PEBench drawn from code, and the base model that has seen it.

`people` and `events` say who and what exists, `drawing` paints one image of a person at an event,
`world` writes the dataset in PEBench's on-disk layout, `base` trains the base model from scratch.
"""
