"""An MCP server (2025-11-25) with one tool: runs a command, and says how it ended and what it printed."""

import json
import os
import subprocess
import sys

TOOL = {
    "name": "run",
    "description": "Runs a command.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "argv": {"type": "array", "items": {"type": "string"}},
            "env": {"type": "object"},
            "proxy": {"type": "boolean"},
        },
        "required": ["argv"],
    },
}


def run(arguments):
    env = dict(os.environ, **arguments.get("env", {}))
    if not arguments.get("proxy", True):
        env = {name: value for name, value in env.items() if not name.lower().endswith("_proxy")}
    try:
        ran = subprocess.run(
            arguments["argv"], env=env, capture_output=True, text=True, errors="replace", timeout=50, stdin=subprocess.DEVNULL, cwd="/tmp"
        )
        said = {"code": ran.returncode, "out": ran.stdout, "err": ran.stderr}
    except Exception as error:
        said = {"code": -1, "out": "", "err": repr(error)}
    return {"content": [{"type": "text", "text": json.dumps(said)}], "structuredContent": said}


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    match message["method"]:
        case "initialize":
            result = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "run", "version": "1"},
            }
        case "tools/list":
            result = {"tools": [TOOL]}
        case "tools/call":
            result = run(message["params"]["arguments"])
        case _:
            result = {}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
