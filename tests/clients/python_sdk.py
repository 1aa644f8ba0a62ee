"""The official Python SDK as a client of Caisson: one session that uses all a session can do.

    python_sdk.py http URL TOKEN MODE | sse URL TOKEN | stdio MODE CAISSON ARGUMENT...

It prints one JSON object of what it saw, for the test to judge. It speaks to server-everything.
"""

import asyncio
import json
import sys

import httpx2
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client


async def sampling(_context, params):
    return types.CreateMessageResult(
        role="assistant",
        content=types.TextContent(type="text", text="sampled by the Python SDK"),
        model="none",
        stop_reason="endTurn",
    )


async def elicitation(_context, _params):
    return types.ElicitResult(action="decline")


async def roots(_context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///workspace", name="workspace")])


def text(result):
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


async def use(server, mode):
    progress = []

    async def on_progress(done, total, _message):
        progress.append([done, total])

    client = Client(
        server,
        mode=mode,
        sampling_callback=sampling,
        elicitation_callback=elicitation,
        list_roots_callback=roots,
        read_timeout_seconds=60,
    )
    async with client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        seen = {"version": client.protocol_version, "server": client.server_info.name, "tools": tools}
        echo = await client.call_tool("echo", {"message": "hello, ünïcode \u2028 \U0001f600"})
        seen["echo"] = text(echo)
        long = await client.call_tool(
            "trigger-long-running-operation", {"duration": 1, "steps": 4}, progress_callback=on_progress
        )
        seen["long"] = text(long)
        seen["progress"] = progress
        if "trigger-sampling-request" in tools:
            sampled = await client.call_tool("trigger-sampling-request", {"prompt": "hi", "maxTokens": 10})
            seen["sampling"] = text(sampled)
        if "trigger-elicitation-request" in tools:
            seen["elicitation"] = text(await client.call_tool("trigger-elicitation-request", {}))
        if "get-roots-list" in tools:
            seen["roots"] = text(await client.call_tool("get-roots-list", {}))
        seen["resources"] = len((await client.list_resources()).resources)
        seen["prompts"] = len((await client.list_prompts()).prompts)
        image = await client.call_tool("get-tiny-image", {})
        seen["image_bytes"] = [len(b.data) for b in image.content if isinstance(b, types.ImageContent)]
        return seen


async def main():
    if sys.argv[1] == "http":
        url, token, mode = sys.argv[2:5]
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
            seen = await use(streamable_http_client(url, http_client=http), mode)
    elif sys.argv[1] == "sse":
        url, token = sys.argv[2:4]
        seen = await use(sse_client(url, headers={"Authorization": f"Bearer {token}"}), "legacy")
    else:
        mode, command, *arguments = sys.argv[2:]
        seen = await use(StdioServerParameters(command=command, args=arguments, env=None), mode)
    print(json.dumps(seen))


asyncio.run(main())
