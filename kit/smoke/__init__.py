"""The embedded world: small benchmarks drawn by code, and a base model pretrained on that world.

`people` and `events` define who and what exists, and `drawing` paints one image of a person at an
event. `world` writes the dataset in PEBench's layout. `mllmu`, `clear`, `umu` and `offside` write
it in those of the other benchmarks, and `probes` in those of the probes. `base` trains the base
model from scratch on `curriculum`.
"""
