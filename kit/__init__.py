"""PEBench reproducibility kit: from a manifest to a signed table of multimodal unlearning results.

Files flow one way. A manifest names data, base model, methods and metrics; `fetch` brings and
verifies the bytes; `finetune` and `unlearn` train adapters over one frozen 4-bit base; `evaluate`
stores one answer per record and adapter; `report` turns answers into rows and tables; `sign` binds
every file of the result; `verify` recomputes the rows from the answers without a model.
"""

__version__ = "0.5.0"
