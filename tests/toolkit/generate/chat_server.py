"""A local endpoint that speaks OpenAI's chat protocol, for tests of what asks one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ChatServer(ThreadingHTTPServer):
    """`respond` says what is answered: a status and the body."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def respond(self, path, key, body):
        raise NotImplementedError


def completion(body, message, **more) -> bytes:
    """The answer that holds the assistant's `message`."""
    answer = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
        ],
        **more,
    }
    return json.dumps(answer).encode()


@contextmanager
def serving(server: ChatServer) -> Iterator[ChatServer]:
    """`server`, which answers as long as the context is open."""
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self.server.respond(self.path, self.headers["Authorization"], body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if answer[:1] == b"{" else "text/html")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass
