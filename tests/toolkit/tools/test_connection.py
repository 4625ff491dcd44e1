"""A server is asked and called; whatever it does comes out as an answer or a sentence, and nothing
of it stays behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

pytest.importorskip("mcp")

from edgetune.tools.connection import ConnectionLost, connect
from edgetune.tools.servers import Server
from edgetune_runtime.errors import InputError


def said(answer):
    return answer.content[0].text


def runs(number: int) -> bool:
    """Whether a process runs: one that ended and that nobody waited for does not."""
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_its_tools_are_read_in_pages_and_called(raw_server):
    with connect(Server(raw_server("--pages", 3))) as connection:
        assert len(connection.tools) == 11
        assert connection.instructions.startswith("Notes and worse.")
        assert said(connection.call("echo", {"text": "grüß"}, 10)) == "grüß"
        failed = connection.call("fail", {}, 10)
        assert failed.is_error
        assert said(failed) == "it did not work"


def test_an_error_of_the_protocol_is_an_answer(raw_server):
    """A server may use the number by which the library says that it is gone."""
    with connect(Server(raw_server())) as connection:
        refused = connection.call("refuse", {}, 10)
        assert refused.is_error
        assert said(refused) == "not today"
        assert said(connection.call("echo", {"text": "still here"}, 10)) == "still here"


def test_a_server_that_hangs_or_talks_nonsense_costs_the_call_its_time(raw_server):
    with connect(Server(raw_server())) as connection:
        assert connection.call("nonsense", {}, 10).is_error
        with pytest.raises(TimeoutError):
            connection.call("garbage", {}, 0.3)
        assert said(connection.call("echo", {"text": "again"}, 10)) == "again"
        with pytest.raises(TimeoutError):
            connection.call("hang", {}, 0.3)


def test_a_server_that_ends_in_mid_call_is_lost(raw_server):
    with connect(Server(raw_server(), name="raw")) as connection:
        for _ in range(2):
            with pytest.raises(ConnectionLost, match="'raw' has ended"):
                connection.call("die", {}, 10)


def test_ten_megabytes_are_read(raw_server):
    with connect(Server(raw_server())) as connection:
        assert len(said(connection.call("big", {}, 60))) > 10_000_000


def test_a_server_gets_what_it_is_given_alone(raw_server, monkeypatch):
    monkeypatch.setenv("NOT_ITS_BUSINESS", "x")
    with connect(Server(raw_server(), env={"ITS_OWN": "y"})) as connection:
        environment = json.loads(said(connection.call("environment", {}, 10)))
    assert environment["ITS_OWN"] == "y"
    assert "PATH" in environment
    assert "NOT_ITS_BUSINESS" not in environment


@pytest.mark.parametrize("leaving", ["well", "in an error", "while it hangs"])
def test_its_children_end_with_it(raw_server, tmp_path, leaving):
    file = tmp_path / "child"
    try:
        with connect(Server(raw_server("--child", file))) as connection:
            child = int(file.read_text())
            assert runs(child)
            if leaving == "in an error":
                raise KeyboardInterrupt
            if leaving == "while it hangs":
                connection.call("hang", {}, 0.1)
    except (KeyboardInterrupt, TimeoutError):
        pass
    assert not runs(child)


def test_ctrl_c_leaves_nothing_behind(raw_server, tmp_path):
    file = tmp_path / "child"
    program = f"""
from edgetune.tools.connection import connect
from edgetune.tools.servers import Server
with connect(Server({raw_server("--child", file)!r})) as connection:
    print("called", flush=True)
    connection.call("hang", {{}}, 600)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "called\n"
    child = int(file.read_text())
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)  # as people do who are in a hurry
    assert process.wait(60) != 0  # some four seconds, many more on a busy machine
    assert not runs(child)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("no-such-program",), "'no-such-program' is not found"),
        (("sh", "-c", "echo the key $KEY is wrong >&2; exit 1"), "the key \\[KEY\\] is wrong"),
        (("sh", "-c", "cat > /dev/null"), "try its command by hand"),
    ],
)
def test_what_is_no_server_is_one_sentence(command, told):
    with (
        pytest.raises(InputError, match=told),
        connect(Server(command, env={"KEY": "s3cret"}), start_seconds=1),
    ):
        pass


HTTP = """
import sys
from mcp.server.mcpserver import MCPServer

server = MCPServer("web")

@server.tool()
def double(number: int) -> int:
    return 2 * number

server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
"""


def test_an_address_is_reached_and_an_empty_one_told(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(url=f"http://127.0.0.1:{port}/mcp", headers={"Authorization": "s3cret"})
    with pytest.raises(InputError) as caught, connect(server, start_seconds=5):
        pass
    assert "gives no list of tools" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    process = subprocess.Popen([sys.executable, "-c", HTTP, str(port)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        with connect(server) as connection:
            assert [tool.name for tool in connection.tools] == ["double"]
            assert said(connection.call("double", {"number": 21}, 10)) == "42"
            process.kill()
            with pytest.raises((ConnectionLost, TimeoutError)):
                connection.call("double", {"number": 21}, 2)
    finally:
        process.kill()
        process.wait()
