"""An MCP server without the library, so that it starts at once and can misbehave as it is told.

`python raw_server.py [--pages N] [--child FILE] [--tools FILE]`: a list of tools in pages of N; a
child process that stays behind and whose number FILE holds; other tools than its own.
"""

import argparse
import json
import os
import subprocess
import sys
import time

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NONE = {"type": "object", "properties": {}}
TOOLS = [
    {
        "name": "notes.read",
        "description": "Read a note.",
        "inputSchema": {
            "type": "object",
            "properties": {"note": {"type": "string", "description": "its name"}},
            "required": ["note"],
        },
        "annotations": {"readOnlyHint": True, "title": "Read"},
    },
    {
        "name": "write_note",
        "description": "Write a note.",
        "inputSchema": TEXT,
        "annotations": {"destructiveHint": True},
    },
    {"name": "echo", "description": "Say the text again.", "inputSchema": TEXT},
    {"name": "fail", "description": "Fail.", "inputSchema": NONE},
    {"name": "refuse", "description": "Answer with an error of the protocol.", "inputSchema": NONE},
    {"name": "die", "description": "End in mid-call.", "inputSchema": NONE},
    {"name": "hang", "description": "Never answer.", "inputSchema": NONE},
    {"name": "garbage", "description": "Write what is no message.", "inputSchema": NONE},
    {"name": "nonsense", "description": "Answer in another shape.", "inputSchema": NONE},
    {"name": "big", "description": "Answer with ten megabytes.", "inputSchema": NONE},
    {"name": "environment", "description": "Tell the environment.", "inputSchema": NONE},
]


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def text(said, is_error=False):
    return {"content": [{"type": "text", "text": said}], "isError": is_error}


def call(number, name, arguments):
    if name == "die":
        os._exit(3)
    if name == "hang":
        time.sleep(3600)
    if name == "garbage":
        sys.stdout.write("\x00 this is no message {]\n" * 3)
        sys.stdout.flush()
        return
    if name == "refuse":
        send({"id": number, "error": {"code": -32000, "message": "not today"}})
        return
    results = {
        "fail": lambda: text("it did not work", True),
        "nonsense": lambda: {"content": "no list"},
        "big": lambda: text("0123456789 a line\n" * 600_000),
        "environment": lambda: text(json.dumps(dict(os.environ))),
        "notes.read": lambda: text(f"{arguments['note']}: buy milk"),
    }
    send({"id": number, "result": results.get(name, lambda: text(arguments.get("text", "")))()})


def answer(message, tools, page):
    number, method, params = message.get("id"), message["method"], message.get("params") or {}
    if method == "initialize":
        about = {"name": "raw-server", "version": "1"}
        version = params["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
        send({"id": number, "result": {**result, "instructions": "Notes and worse.\n\nMore."}})
    elif method == "tools/list":
        begin = int(params.get("cursor") or 0)
        more = {"nextCursor": str(begin + page)} if begin + page < len(tools) else {}
        send({"id": number, "result": {"tools": tools[begin : begin + page], **more}})
    elif method == "tools/call":
        call(number, params["name"], params.get("arguments") or {})
    elif number is not None:
        send({"id": number, "error": {"code": -32601, "message": "Method not found"}})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--child")
    parser.add_argument("--tools")
    options = parser.parse_args()
    if options.child:
        child = subprocess.Popen(["sleep", "3600"], stdin=subprocess.DEVNULL, stdout=2)
        with open(options.child, "w") as file:
            file.write(str(child.pid))
    tools = TOOLS
    if options.tools:
        with open(options.tools) as file:
            tools = json.load(file)
    for line in sys.stdin:
        answer(json.loads(line), tools, options.pages)


if __name__ == "__main__":
    main()
