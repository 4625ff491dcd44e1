"""A device for the real adb: what `adbd` does on a phone, over TCP, for a `FolderDevice`.

Enough of the protocol for `shell`, `push` and `install`: one connection, the features `shell_v2`
alone, no authentication. Android's adb tells the protocol in `protocol.txt` and `SYNC.TXT`.
"""

import socket
import struct
import threading
from collections.abc import Iterator

from folder_device import FolderDevice

MAX_DATA = 256 * 1024
STDOUT, STDERR, EXIT = 1, 2, 3


class CableError(Exception):
    """The cable is pulled."""


class Daemon(threading.Thread):
    """Serves `device` on a port of its own until it is closed."""

    def __init__(self, device: FolderDevice) -> None:
        super().__init__(daemon=True)
        self._device = device
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.serial = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                if self._device.about["connected"]:
                    Connection(connection, self._device).serve()

    def close(self) -> None:
        self._listener.close()


class Connection:
    """One connection to adb's server. A message: command, two numbers, data."""

    def __init__(self, connection: socket.socket, device: FolderDevice) -> None:
        self._socket, self._device = connection, device
        self._streams: dict[int, Stream] = {}

    def serve(self) -> None:
        try:
            while True:
                self._answer(*self._receive())
        except (CableError, ConnectionError):
            return

    def _answer(self, command: bytes, first: int, second: int, data: bytes) -> None:
        if command == b"CNXN":
            model = self._device.about["model"]
            about = f"device::ro.product.name=x;ro.product.model={model};ro.product.device=x;"
            self._send(b"CNXN", 0x01000001, MAX_DATA, f"{about}features=shell_v2".encode())
        elif command == b"OPEN":
            stream = self._streams[first] = Stream(self._device, data.rstrip(b"\0").decode())
            self._send(b"OKAY", first, first)
            self._go_on(first, stream)
        elif first in self._streams and command == b"WRTE":
            self._send(b"OKAY", first, first)
            self._streams[first].take(data)
            self._go_on(first, self._streams[first])
        elif first in self._streams and command == b"OKAY":
            self._streams[first].waits = False
            self._go_on(first, self._streams[first])
        elif command == b"CLSE":
            self._streams.pop(first, None)

    def _go_on(self, name: int, stream: "Stream") -> None:
        """Send what the stream has to say, one piece for each OKAY."""
        if stream.waits:
            return
        if stream.out:
            stream.waits = True
            self._send(b"WRTE", name, name, stream.out.pop(0))
        elif stream.ended:
            self._streams.pop(name)
            self._send(b"CLSE", name, name)

    def _receive(self) -> tuple[bytes, int, int, bytes]:
        command, first, second, length, _, _ = struct.unpack("<4s5I", self._exactly(24))
        return command, first, second, self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            piece = self._socket.recv(length - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return data

    def _send(self, command: bytes, first: int, second: int, data: bytes = b"") -> None:
        number = int.from_bytes(command, "little")
        head = struct.pack(
            "<4s5I", command, first, second, len(data), sum(data), number ^ 0xFFFFFFFF
        )
        self._socket.sendall(head + data)


class Stream:
    """One service: what adb sends it, what it has to say."""

    def __init__(self, device: FolderDevice, service: str) -> None:
        self._device = device
        self.out: list[bytes] = []
        self.waits = self.ended = False
        self._taken = b""
        self._file: tuple[str, bytes] | None = None
        if service.startswith("shell"):
            self._shell(service.partition(":")[2])
        elif service != "sync:":
            self.ended = True

    def _shell(self, script: str) -> None:
        code, said, complained = self._device.shell(script)
        for kind, text in ((STDOUT, said.encode()), (STDERR, complained.encode())):
            for begin in range(0, len(text), 4096):
                piece = text[begin : begin + 4096]
                self.out.append(struct.pack("<BI", kind, len(piece)) + piece)
        self.out.append(struct.pack("<BIB", EXIT, 1, code))
        self.ended = True

    def take(self, data: bytes) -> None:
        """Bytes that adb sends; of a shell's standard input nothing is wanted."""
        if self.ended:
            return
        self._taken += data
        for command, number, body in self._requests():
            self._sync(command, number, body)

    def _requests(self) -> Iterator[tuple[bytes, int, bytes]]:
        while len(self._taken) >= 8:
            command, number = struct.unpack("<4sI", self._taken[:8])
            length = 0 if command == b"DONE" else number
            if len(self._taken) < 8 + length:
                return
            body, self._taken = self._taken[8 : 8 + length], self._taken[8 + length :]
            yield command, number, body

    def _sync(self, command: bytes, number: int, body: bytes) -> None:
        if command == b"STAT":
            place = self._device.here(body.decode())
            stat = place.stat() if place.exists() else None
            told = (stat.st_mode, stat.st_size, int(stat.st_mtime)) if stat else (0, 0, 0)
            self.out.append(struct.pack("<4s3I", b"STAT", *told))
        elif command == b"SEND":
            self._file = (body.decode().rpartition(",")[0], b"")
        elif command == b"DATA" and self._file:
            path, content = self._file
            if self._device.cable_is_pulled(path, content + body):
                raise CableError
            self._file = (path, content + body)
        elif command == b"DONE" and self._file:
            self._reply(*self._file)
            self._file = None
        elif command == b"QUIT":
            self.ended = True

    def _reply(self, path: str, content: bytes) -> None:
        try:
            self._device.write(path, content)
        except OSError as error:
            said = str(error.strerror).encode()
            self.out.append(struct.pack("<4sI", b"FAIL", len(said)) + said)
        else:
            self.out.append(struct.pack("<4sI", b"OKAY", 0))
