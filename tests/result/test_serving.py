"""`show` serves the pages of one report, to this machine alone, and ends with Ctrl-C."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from threading import Thread

import pytest

from kit.artifacts import PROJECT
from kit.cli.entry import main
from kit.errors import EnvironmentFault, MissingStageError
from kit.result.serving import make_server, open_browser
from kit.signing.keys import public_line
from tests.toys.signed_result import KEY, copy_of


@pytest.fixture
def report(tmp_path):
    folder = tmp_path / "result" / "report"
    (folder / "inner").mkdir(parents=True)
    for name in ("report.html", "answers.html", "a b.svg", "inner/x.html"):
        (folder / name).write_text(f"this is {name}", encoding="utf-8")
    (folder.parent / "run.json").write_text("{}", encoding="utf-8")
    (folder / "link.html").symlink_to(folder.parent / "run.json")
    return folder


@contextmanager
def serving(folder):
    server = make_server(folder)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(port, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), dict(answer.getheaders())


def test_the_pages_are_served_and_nothing_beside_them(report):
    with serving(report) as port:
        assert ask(port, "/answers.html")[:2] == (200, "this is answers.html")
        assert ask(port, "/a%20b.svg")[0] == 200
        assert ask(port, "/", "HEAD")[2]["Location"] == "/report.html"
        for path in ("/../run.json", "/%2e%2e/run.json", "/inner/x.html", "/inner/", "/link.html",
                     "/none.html", "//etc/passwd"):  # fmt: skip
            assert ask(port, path)[0] == 404, path
        assert ask(port, "/report.html", "POST")[0] == 501


def test_a_page_can_load_and_send_nothing_whatever_it_says(report):
    with serving(report) as port:
        headers = ask(port, "/report.html")[2]
    policy = headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "form-action 'none'" in policy
    assert not any("http" in each or "*" in each or "connect" in each for each in policy)
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_another_name_for_this_machine_is_refused(report):
    """A page elsewhere that points its own name at this machine reads nothing."""
    with serving(report) as port:
        assert ask(port, "/report.html", Host=f"evil.example:{port}")[0] == 403
        assert ask(port, "/report.html", Host=f"localhost:{port}")[0] == 200


def test_only_this_machine_can_connect(report):
    with serving(report) as port, socket.socket() as other:
        other.settimeout(5)
        address = next(
            (a[4][0] for a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)), ""
        )
        if address and not address.startswith("127."):
            with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
                other.connect((address, port))


def test_what_cannot_be_shown_is_said_before_anything_is_served(report, tmp_path):
    with pytest.raises(MissingStageError, match=r"no result: .* neither manifest.intoto.json nor"):
        make_server(tmp_path / "report")
    (report / "report.html").unlink()
    with pytest.raises(MissingStageError, match="found: a result without its report"):
        make_server(report)
    (report / "report.html").touch()
    with serving(report) as port, pytest.raises(EnvironmentFault) as caught:
        make_server(report, port)
    assert f"port {port} cannot be used" in caught.value.message
    assert "found: Address already in use" in caught.value.message
    assert "remedy: leave out --port" in caught.value.message


def test_without_a_screen_no_browser_takes_the_terminal(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("webbrowser.open", lambda address: pytest.fail("opened"))
    assert not open_browser("http://127.0.0.1:1/")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    assert open_browser("http://127.0.0.1:1/")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_verb_prints_the_address_and_ends_quietly_with_ctrl_c(report, name):
    command = [sys.executable, "-P", "-m", "kit", "show", str(report.parent), "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        command, cwd=report, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, a shell has let Ctrl-C be ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        first, second, third = (process.stdout.readline() for _ in range(3))
        port = int(first.rpartition(":")[2].partition("/")[0])
        assert first == f"report:  http://127.0.0.1:{port}/report.html\n"
        assert ask(port, "/report.html")[0] == 200
        assert second == f"answers: http://127.0.0.1:{port}/answers.html\n"
        assert third.startswith("Nothing was checked, so these pages may say anything.")
        process.send_signal(getattr(signal, name))
        try:
            assert process.communicate(timeout=60) == ("", "")
        finally:
            process.kill()
    assert process.returncode == 0


@contextmanager
def shown(*words):
    """Run the verb; give its lines up to the last one, and the port."""
    command = [sys.executable, "-P", "-m", "kit", "show", *map(str, words), "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            lines = []
            while not lines or not lines[-1].endswith("Ctrl-C ends this.\n"):
                lines.append(process.stdout.readline())
                assert lines[-1], process.stderr.read()
            address = next(line for line in lines if line.startswith("report:  "))
            yield "".join(lines), int(address.rpartition(":")[2].partition("/")[0])
        finally:
            process.terminate()


def test_fresh_pages_are_of_verified_numbers_and_not_those_in_the_result(signed, tmp_path):
    key = tmp_path / "key.pub"
    key.write_text(public_line(KEY.public_key()), encoding="utf-8")
    with shown(signed, "--fresh", "--trust", key) as (said, port):
        assert "rows recomputed from the stored answers" in said
        assert "These pages were made now, from the numbers that were verified." in said
        page = ask(port, "/report.html")[1]
        assert ask(port, "/answers.html")[0] == 200
    assert page == (signed / "report" / "report.html").read_text(encoding="utf-8")


def test_no_fresh_page_of_a_changed_result_is_shown(signed, tmp_path, capsys):
    result = copy_of(signed, tmp_path)
    (result / "report" / "report.html").write_text("all is well", encoding="utf-8")
    key = tmp_path / "key.pub"
    key.write_text(public_line(KEY.public_key()), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["show", str(result), "--fresh", "--trust", str(key), "--no-browser"])
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert "report.html: changed after signing" in said.err
    assert "http://" not in said.out


def test_pages_by_another_state_of_the_kit_are_said_to_be_so(signed, tmp_path):
    result = copy_of(signed, tmp_path)
    run = json.loads((result / "run.json").read_text(encoding="utf-8"))
    run["kit"]["renderer"] = "0" * 64
    (result / "run.json").write_text(json.dumps(run), encoding="utf-8")
    for folder, others in ((signed, False), (result, True)):
        with shown(folder) as (said, _):
            assert "Nothing was checked" in said
            assert f"./run.sh show {folder} --fresh" in said
            assert ("They were made by another state of the kit" in said) is others
