"""Which MCP server is meant: a command, an address, or the entries of a client's `mcpServers`.

Only says how a server is reached and what it is given of the environment; `connection` reaches it.
"""

import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from edgetune_runtime.errors import InputError

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_LISTS = ("mcpServers", "servers")
"""Keys under which clients list their servers: most of them, and VS Code."""
_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
_HTTP = ("http", "streamable-http", "streamableHttp")
_RUNNERS = ("npx", "uvx", "uv", "run", "node", "python", "python3", "bunx", "docker", "tool")
"""Words of a command that run a server and don't name it."""


@dataclass(frozen=True)
class Server:
    """One server: a command, whose parts are `command`, or the address `url`."""

    command: tuple[str, ...] = ()
    url: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What its process gets of the environment, beside the few variables that every program needs
    (`PATH`, `HOME` and such)."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with each request to an address."""
    folder: str | None = None
    """Where a command runs; by default here."""
    name: str | None = None
    """What the user calls it."""

    @property
    def title(self) -> str:
        """What errors call it: without anything that may be a secret."""
        if self.name:
            return self.name
        if self.url:
            return re.sub(r"//[^/@]*@", "//", self.url).split("?")[0]
        return shlex.join(self.command)

    @property
    def guessed_name(self) -> str:
        """A name for its toolset, where neither the user nor the server gave one."""
        if self.url:
            return re.sub(r".*//(?:[^/@]*@)?([^/:?]+).*", r"\1", self.url)
        words = [word for word in self.command if not word.startswith("-")]
        stems = [PurePath(word).name.split("@")[0] for word in words]
        named = [PurePath(stem).stem for stem in stems if PurePath(stem).stem not in _RUNNERS]
        return re.sub(r"^(mcp[-_])?server[-_]|[-_]mcp$", "", named[0]) if named else "server"

    @property
    def secrets(self) -> dict[str, str]:
        """By name, what was given to it and must stand in no log: variables, headers, parts of an
        address."""
        found = {**self.env, **self.headers}
        if self.url and (login := re.match(r".*//([^/@]+)@", self.url)):
            found["login"] = login[1]
        if self.url and "?" in self.url:
            found["query"] = self.url.split("?", 1)[1]
        return found


def parse_servers(text: str, keys: Iterable[str] = ()) -> list[Server]:
    """The server of a command line or an address, or all those of a JSON file with `mcpServers`.

    `keys` name the variables of this process's environment that a command gets. Raises InputError
    for a file that lists none, and for a variable that is not set.
    """
    env = {key: _variable(key, "--env") for key in keys}
    if _ADDRESS.match(text):
        if env:
            raise InputError(
                f"--env {next(iter(env))}: an address starts no process that could be given a "
                "variable; put it into the headers of an mcpServers file."
            )
        return [Server(url=text)]
    if text.endswith(".json"):
        return [_with_env(server, env) for server in _read_list(Path(text))]
    try:
        command = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--mcp {text}: is no command line ({error}); quote it.") from error
    if not command:
        raise InputError(
            "--mcp: found nothing, expected a command, an http address or an mcpServers file."
        )
    return [Server(tuple(command), env=env)]


def _read_list(path: Path) -> Iterator[Server]:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"--mcp {path}: cannot be read ({error.strerror}); give an mcpServers file."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"--mcp {path}: is not JSON ({error}); correct it.") from error
    listed = value if isinstance(value, dict) else {}
    entries = next((listed[key] for key in _LISTS if isinstance(listed.get(key), dict)), None)
    if not entries:
        raise InputError(
            f'{path}: expected {{"mcpServers": {{NAME: {{"command": ..., "args": [...]}}}}}} with '
            "at least one server."
        )
    for name, entry in entries.items():
        where = f"{path}: mcpServers.{name}"
        if not isinstance(entry, dict):
            raise InputError(f"{where}: found {entry!r:.40}, expected an object.")
        if not entry.get("disabled"):
            yield _entry(name, entry, where)


def _entry(name: str, entry: Mapping[str, Any], where: str) -> Server:
    env, headers = (_texts(entry, key, where) for key in ("env", "headers"))
    url, command = entry.get("url") or entry.get("serverUrl"), entry.get("command")
    if (url is None) == (command is None):
        raise InputError(f"{where}: expected either a 'command' or a 'url'; correct it.")
    kind = entry.get("type", _HTTP[0] if url else "stdio")
    if kind not in (_HTTP if url else ("stdio",)):
        raise InputError(f"{where}.type: found {kind!r}, expected stdio or streamable-http.")
    if url is not None:
        return Server(url=_filled(_text(url, f"{where}.url"), where), headers=headers, name=name)
    args = entry.get("args", [])
    if not isinstance(args, list):
        raise InputError(f"{where}.args: found {args!r:.40}, expected a list of texts.")
    parts = [_text(command, f"{where}.command"), *(_text(arg, f"{where}.args") for arg in args)]
    folder = _text(entry["cwd"], f"{where}.cwd") if entry.get("cwd") else None
    command_line = tuple(_filled(part, where) for part in parts)
    return Server(command_line, env=env, folder=folder, name=name)


def _texts(entry: Mapping[str, Any], key: str, where: str) -> dict[str, str]:
    found = entry.get(key) or {}
    if not isinstance(found, dict):
        raise InputError(f"{where}.{key}: found {type(found).__name__}, expected an object.")
    return {
        name: _filled(_text(value, f"{where}.{key}.{name}"), where) for name, value in found.items()
    }


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        # What it is is not told: it may be a secret.
        raise InputError(f"{where}: found {type(value).__name__}, expected a text.")
    return value


def _filled(text: str, where: str) -> str:
    """`text` with the variables that it names as `${NAME}`."""
    return _VARIABLE.sub(lambda found: _variable(found[1], where), text)


def _variable(key: str, where: str) -> str:
    if key not in os.environ:
        raise InputError(f"{where}: the variable '{key:.40}' is not set; set it, or leave it out.")
    return os.environ[key]


def _with_env(server: Server, env: Mapping[str, str]) -> Server:
    return replace(server, env={**server.env, **env}) if server.command else server
