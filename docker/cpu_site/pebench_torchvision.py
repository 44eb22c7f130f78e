"""Let the published torchvision be imported beside a CPU-only torch.

The wheel on the package index is a CUDA build: beside torch+cpu its compiled operators cannot be
loaded, and the import ends with `operator torchvision::nms does not exist`, because it describes
two operators that nothing has declared. The rest of torchvision needs no compiled operator. Here
the two are declared first, in every process of the environment (vLLM inspects models in a child
process), by a `.pth` file beside this module. Nothing is imported until torchvision is.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

declared = []  # torch forgets the schemas when their Library object dies


def declare_missing_operators(package: str) -> None:
    """Declare the schemas if torch is CPU-only and the operators in `package` do not load."""
    import torch

    if torch.version.cuda or torch.version.hip:
        return
    try:
        torch.ops.load_library(f"{package}/_C.so")
    except OSError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in SCHEMAS:
            library.define(schema)
        declared.append(library)


class TorchvisionLoader(SourceFileLoader):
    """Load torchvision as usual, after the declarations."""

    def exec_module(self, module: ModuleType) -> None:
        declare_missing_operators(self.path.rpartition("/")[0])
        super().exec_module(module)


class TorchvisionFinder:
    """A finder for the one name; looking torchvision up without importing it stays free."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return torchvision's spec with our loader, None for every other module."""
        if name != "torchvision":
            return None
        spec = PathFinder.find_spec(name)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = TorchvisionLoader(spec.loader.name, spec.loader.path)
        return spec


sys.meta_path.insert(0, TorchvisionFinder)
