"""No file is in two packages: otherwise the order of installation decides which one works."""

import io
import re
import shutil
import subprocess
import threading
import zipfile
from collections import defaultdict
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distributions
from pathlib import Path

import pytest

from kit.artifacts import PROJECT
from kit.supply_chain import owners
from kit.supply_chain.owners import locked_files, shared_files


def wheel(name: str, files: dict[str, str], padding: int = 0) -> bytes:
    """Return a wheel whose first file has `padding` bytes that do not compress."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr(f"{name}/large.bin", b"\0" * padding)
        for path, text in files.items():
            archive.writestr(path, text)
    return whole.getvalue()


class Server(BaseHTTPRequestHandler):
    """Serves wheels by name, in parts like an index, or only whole ones."""

    def __init__(self, wheels, in_parts, sent, *rest):
        self.wheels, self.in_parts, self.sent = wheels, in_parts, sent
        super().__init__(*rest)

    def do_GET(self):
        data = self.wheels[self.path.strip("/")]
        if self.in_parts:
            first, last = map(int, re.findall(r"\d+", self.headers["Range"]))
            data = data[first : last + 1]
        self.sent.append(len(data))
        self.send_response(206 if self.in_parts else 200)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """Return a function that serves wheels; it returns their pylock.toml and what was sent."""
    servers = []

    def serve(wheels, in_parts=True):
        sent = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, wheels, in_parts, sent))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        lines = ['[[packages]]\nname = "from-source"\n']
        for name, data in wheels.items():
            url = f"http://127.0.0.1:{server.server_port}/{name}"
            entry = f'wheels = [{{ url = "{url}", size = {len(data)} }}]'
            lines.append(f'[[packages]]\nname = "{name}"\n{entry}\n')
        (tmp_path / "pylock.toml").write_text("\n".join(lines))
        return tmp_path / "pylock.toml", sent

    yield serve
    for server in servers:
        server.shutdown()


def test_no_installed_file_has_two_owners():
    found: dict[str, set[str]] = defaultdict(set)
    for package in distributions():
        assert package.files is not None, f"{package.metadata['Name']} lists its files"
        files = (Path(str(package.locate_file(file))).resolve() for file in package.files)
        found[package.metadata["Name"]] |= set(map(str, files))
    assert len(found) > 100, "packages of this environment"
    assert sum(map(len, found.values())) > 10_000
    assert shared_files(found) == {}


def test_two_packages_with_the_same_file_are_found_and_folders_are_shared_freely():
    found = {"cuda-python": ["cuda/", "cuda/nvrtc.so"], "cuda-bindings": ["cuda/", "cuda/nvrtc.so"]}
    assert shared_files({**found, "other": ["other.py"]}) == {
        "cuda/nvrtc.so": ["cuda-bindings", "cuda-python"]
    }


@pytest.mark.parametrize(("name", "packages"), owners.ALLOWED.items())
def test_a_file_may_be_shared_only_by_the_packages_that_are_named_for_it(name, packages):
    assert shared_files({package: [name] for package in packages}) == {}
    third = {package: [f"/environment/lib/site-packages/{name}"] for package in [*packages, "z"]}
    assert list(shared_files(third).values()) == [[*sorted(packages), "z"]]


def test_programs_of_wheels_count_wherever_they_come_from(served):
    entry = "[console_scripts]\nrun = a.b:main\n\n[other]\nrunning = a.c\n"
    pylock, _ = served(
        {
            "a": wheel("a", {"a-1.dist-info/entry_points.txt": entry}),
            "b": wheel("b", {"b-1.data/scripts/run": "#!", "b-1.data/purelib/a/large.bin": ""}),
        }
    )
    found, unread = locked_files(pylock)
    assert shared_files(found) == {"a/large.bin": ["a", "b"], "bin/run": ["a", "b"]}
    assert unread == ["from-source"]


def test_of_a_large_wheel_only_the_end_is_read(served):
    large = wheel("a", {"a/end.py": ""}, padding=3_000_000)
    pylock, sent = served({"a": large})
    assert locked_files(pylock)[0] == {"a": {"a/large.bin", "a/end.py"}}
    assert sent == [owners.TAILS_BYTES[0]]


def test_a_table_that_is_longer_than_the_end_is_read_whole(served):
    many = {f"a/{number:04}{'x' * 80}.py": "" for number in range(2000)}
    data = wheel("a", many)
    pylock, sent = served({"a": data})
    assert len(locked_files(pylock)[0]["a"]) == 2001
    assert sent == [owners.TAILS_BYTES[0], len(data)]


def test_a_server_without_range_requests_is_an_error_not_a_download(served, monkeypatch, capsys):
    pylock, _ = served({"a": wheel("a", {})}, in_parts=False)
    monkeypatch.setattr("sys.argv", ["owners", str(pylock)])
    assert owners.main() == 3
    assert "cannot be read in parts" in capsys.readouterr().err


def test_a_server_that_fails_once_is_asked_again(served, monkeypatch):
    pylock, _ = served({"a": wheel("a", {"a/x.py": ""})})
    real, failures = owners.urllib.request.urlopen, [OSError("no answer")]

    def failing(*arguments, **options):
        if failures:
            raise failures.pop()
        return real(*arguments, **options)

    monkeypatch.setattr(owners.urllib.request, "urlopen", failing)
    monkeypatch.setattr(owners, "WAIT_S", 0)
    assert locked_files(pylock)[0] == {"a": {"a/large.bin", "a/x.py"}}


def test_shared_files_of_wheels_are_printed_with_their_owners(served, monkeypatch, capsys):
    pylock, _ = served({"a": wheel("a", {"x.py": ""}), "b": wheel("b", {"x.py": ""})})
    monkeypatch.setattr("sys.argv", ["owners", str(pylock)])
    assert owners.main() == 3
    said = capsys.readouterr()
    assert said.err == "x.py: a, b\n"
    assert said.out.startswith("4 files of 2 packages, 1 of them in several packages\n")


@pytest.mark.network
@pytest.mark.extended
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_no_file_of_the_gpu_lock_s_wheels_has_two_owners():
    command = ["docker/lock.sh", "gpu", "--check-files"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    if re.search("error sending request|failed to fetch|timed out|urlopen", done.stderr, re.I):
        pytest.skip(f"no package index: {done.stderr[:200]}")
    assert done.returncode == 0, done.stderr
    assert "0 of them in several packages" in done.stdout
