"""Servers are said as commands, addresses or files of clients; what is wrong is one sentence."""

import json

import pytest

from edgetune.tools.servers import Server, parse_servers
from edgetune_runtime.errors import InputError


def test_a_command_an_address_and_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret")
    (command,) = parse_servers("npx -y 'a b' DIR", ["TOKEN"])
    assert command.command == ("npx", "-y", "a b", "DIR")
    assert command.env == {"TOKEN": "s3cret"}
    (address,) = parse_servers("https://me:pw@example.org/mcp?key=1")
    assert address.url == "https://me:pw@example.org/mcp?key=1"
    assert address.title == "https://example.org/mcp"
    assert address.secrets == {"login": "me:pw", "query": "key=1"}
    file = tmp_path / "mcp.json"
    entries = {
        "files": {"command": "npx", "args": ["-y", "x"], "env": {"KEY": "${TOKEN}"}},
        "web": {"type": "http", "url": "http://localhost/mcp", "headers": {"Authorization": "B x"}},
        "off": {"command": "x", "disabled": True},
    }
    file.write_text(json.dumps({"mcpServers": entries}))
    files, web = parse_servers(str(file))
    assert files == Server(("npx", "-y", "x"), env={"KEY": "s3cret"}, name="files")
    assert (web.name, web.url, web.headers) == (
        "web",
        "http://localhost/mcp",
        {"Authorization": "B x"},
    )


def test_secrets_stand_in_no_representation():
    server = Server(("x",), env={"KEY": "s3cret"}, headers={"Authorization": "s3cret"})
    assert "s3cret" not in repr(server)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("npx -y @modelcontextprotocol/server-filesystem DIR", "filesystem"),
        ("npx -y @modelcontextprotocol/server-memory@1.2", "memory"),
        ("python -m mcp_server_time", "time"),
        ("uvx mcp-server-git --repository x", "git"),
        ("uv run tools/notes.py", "notes"),
        ("https://mcp.example.org:80/mcp", "mcp.example.org"),
    ],
)
def test_a_server_without_a_name_is_called_after_its_command(command, name):
    assert parse_servers(command)[0].guessed_name == name


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", 'expected {"mcpServers"'),
        ("{", "is not JSON"),
        ('{"mcpServers": {"a": 3}}', "mcpServers.a: found 3"),
        ('{"mcpServers": {"a": {}}}', "either a 'command' or a 'url'"),
        ('{"mcpServers": {"a": {"command": "x", "args": "y"}}}', "expected a list of texts"),
        ('{"mcpServers": {"a": {"url": "http://x", "type": "sse"}}}', "found 'sse'"),
        ('{"mcpServers": {"a": {"command": "x", "env": {"K": 4711}}}}', "env.K: found int"),
        ('{"mcpServers": {"a": {"command": "${NO_SUCH}"}}}', "'NO_SUCH' is not set"),
    ],
)
def test_a_file_that_lists_no_servers_is_refused(tmp_path, content, said):
    file = tmp_path / "mcp.json"
    file.write_text(content)
    with pytest.raises(InputError) as caught:
        parse_servers(str(file))
    assert said in str(caught.value)
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "keys", "said"),
    [
        ("", (), "found nothing"),
        ("a 'b", (), "is no command line"),
        ("x", ("NO_SUCH_VARIABLE",), "'NO_SUCH_VARIABLE' is not set"),
        ("missing.json", (), "cannot be read"),
        ("http://x", ("PATH",), "starts no process"),
    ],
)
def test_what_cannot_be_a_server_is_refused(text, keys, said):
    with pytest.raises(InputError, match=said):
        parse_servers(text, keys)
