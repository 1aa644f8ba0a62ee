"""The official Python SDK as a client of either era, on our fixture server.

    eras.py URL TOKEN MODE [PREFIX]

A URL that ends in /sse is spoken to by HTTP+SSE. MODE is legacy, or a version without sessions; PREFIX is what stands before the server's names in a group.

It uses all that the eras say in different words, and prints one JSON object of what it saw.
"""

import asyncio
import hashlib
import json
import sys

import anyio
import httpx2
import mcp_types as types
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

TEXT_BYTES = 3_000_000
# Its client of HTTP+SSE takes events of a MiB at most.
TEXT_BYTES_BESIDE = 500_000
BLOB_BYTES = 200_000


async def sampling(_context, params):
    asked = params.messages[0].content
    block = asked[0] if isinstance(asked, list) else asked
    return types.CreateMessageResult(
        role="assistant",
        content=types.TextContent(type="text", text=f"model heard: {block.text}"),
        model="none",
        stop_reason="endTurn",
    )


async def elicitation(_context, params):
    return types.ElicitResult(action="accept", content={"username": "ann", "email": "ann@example.com"})


async def roots(_context):
    return types.ListRootsResult(roots=[types.Root(uri="file:///workspace/of-the-client", name="workspace")])


def text(result):
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


async def cancelled(call):
    """A call that is given up, and what the server says of it afterwards."""
    with anyio.move_on_after(1.0):
        await call("run_until_cancelled", {"name": "given up"})
    for _ in range(50):
        told = (await call("cancelled_calls", {})).structured_content
        if told["cancelled"]:
            return told["cancelled"]
        await anyio.sleep(0.1)
    return []


async def use(transport, mode, prefix, text_bytes=TEXT_BYTES):
    progress, logged = [], []

    async def on_progress(done, total, _message):
        progress.append([done, total])

    async def on_log(params):
        logged.append(str(params.data))

    client = Client(
        transport,
        mode=mode,
        sampling_callback=sampling,
        elicitation_callback=elicitation,
        list_roots_callback=roots,
        logging_callback=on_log,
        log_level="info",
        read_timeout_seconds=60,
    )
    async def call(tool, arguments, **options):
        return await client.call_tool(prefix + tool, arguments, **options)

    async with client:
        seen = {"version": client.protocol_version}
        seen["tools"] = sorted(
            tool.name.removeprefix(prefix)
            for tool in (await client.list_tools()).tools
            if tool.name.startswith(prefix)
        )
        echoed = await call("echo", {"a": [1, None, {"b": "\u2028 \U0001f600"}]})
        seen["echo"] = echoed.structured_content["arguments"]
        seen["sampling"] = text(await call("test_sampling", {"prompt": "hi there"}))
        seen["elicitation"] = text(await call("test_elicitation", {"message": "who?"}))
        seen["roots"] = text(await call("list_client_roots", {}))
        await call("report_progress", {"steps": 4, "delay_ms": 20}, progress_callback=on_progress)
        seen["progress"] = progress
        if mode == "legacy":
            await client.set_logging_level("info")
        await call("test_tool_with_logging", {})
        await anyio.sleep(0.2)
        seen["logged"] = len(logged)
        large = await call("produce_text", {"bytes": text_bytes})
        seen["text_bytes"] = len(text(large))
        binary = await call("produce_binary", {"bytes": BLOB_BYTES})
        seen["binary"] = sorted({
            hashlib.sha256(block.data.encode()).hexdigest()[:12]
            for block in binary.content
            if isinstance(block, (types.ImageContent, types.AudioContent))
        })
        seen["prompts"] = len((await client.list_prompts()).prompts)
        seen["resources"] = len((await client.list_resources()).resources)
        failed = await call("test_error_handling", {})
        seen["failed"] = failed.is_error
        seen["cancelled"] = await cancelled(call)
        return seen


async def main():
    url, token, mode, prefix = [*sys.argv[1:], ""][:4]
    headers = {"Authorization": f"Bearer {token}"}
    if url.endswith("/sse"):
        return print(json.dumps(await use(sse_client(url, headers=headers), mode, prefix, TEXT_BYTES_BESIDE)))
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        print(json.dumps(await use(streamable_http_client(url, http_client=http), mode, prefix)))


asyncio.run(main())
