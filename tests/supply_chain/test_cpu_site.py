"""docker/cpu_site: torchvision's published wheel can be imported beside a CPU-only torch."""

import subprocess
import sys
from pathlib import Path

SITE = Path(__file__).parents[2] / "docker/cpu_site"


def output_of(program: str) -> str:
    """Run `program` in a new process with the module, as in every process of the environment."""
    command = [sys.executable, "-c", f"import pebench_torchvision as site, sys\n{program}"]
    run = subprocess.run(
        command, env={"PYTHONPATH": str(SITE)}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_the_path_file_starts_the_module() -> None:
    [line] = (SITE / "pebench_torchvision.pth").read_text().splitlines()
    assert line == "import pebench_torchvision"


def test_torchvision_and_its_image_processors_can_be_imported() -> None:
    program = (
        "import torch, torchvision\n"
        "from torchvision.transforms.v2 import functional\n"
        "from transformers import CLIPImageProcessor\n"
        "image = torch.zeros(3, 80, 64, dtype=torch.uint8)\n"
        "size = {'height': 64, 'width': 64}\n"
        "pixels = CLIPImageProcessor(crop_size=size, size={'shortest_edge': 64})(\n"
        "    image, return_tensors='pt')['pixel_values']\n"
        "print(tuple(functional.resize(image, [8, 8]).shape), tuple(pixels.shape))\n"
    )
    assert output_of(program) == "(3, 8, 8) (1, 3, 64, 64)"


def test_looking_torchvision_up_imports_neither_it_nor_torch() -> None:
    program = (
        "from importlib.util import find_spec\n"
        "print(find_spec('torchvision').name, {'torch', 'torchvision'} & set(sys.modules))\n"
    )
    assert output_of(program) == "torchvision set()"


def test_nothing_is_declared_where_torch_has_cuda() -> None:
    program = (
        "import torch\n"
        "torch.version.cuda = '13.0'\n"
        "site.declare_missing_operators('/nowhere')\n"
        "print(site.declared, hasattr(torch.ops.torchvision, 'nms'))\n"
    )
    assert output_of(program) == "[] False"


def test_nothing_is_declared_where_the_operators_load() -> None:
    program = (
        "import torch\n"
        "torch.version.cuda = None\n"
        "torch.ops.load_library = lambda path: None\n"
        "site.declare_missing_operators('/nowhere')\n"
        "print(site.declared)\n"
    )
    assert output_of(program) == "[]"
