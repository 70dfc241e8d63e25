"""What the conformance suite calls: tools, resources and prompts whose names and texts are the suite's contract.

Only as far as a stateless server can serve them: nothing asks the client back in the handshake era, nothing subscribes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import zlib
from collections.abc import Callable
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Message
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    Completion,
    CompletionArgument,
    CompletionContext,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    PromptReference,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

from tests.conformance.fixtures_that_ask import ASKING_TOOLS, answered, form, text


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = b"".join(
    (
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
        _chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00")),
        _chunk(b"IEND", b""),
    )
)
"""One red pixel."""

WAV = struct.pack("<4sI4s4sIHHIIHH4sI2x", b"RIFF", 38, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", 2)
"""One silent sample."""

ARGUMENTS_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"product": {"type": "string"}, "deliver": {"type": "boolean"}, "to": {"$ref": "#/$defs/address"}},
    "required": ["product"],
    "allOf": [{"anyOf": [{"required": ["product"]}, {"required": ["to"]}]}],
    "if": {"properties": {"deliver": {"const": True}}},
    "then": {"required": ["to"]},
    "else": {"properties": {"to": False}},
    "additionalProperties": False,
    "$defs": {"address": {"$anchor": "address", "type": "object", "properties": {"city": {"type": "string"}}}},
}
"""Every keyword of JSON Schema 2020-12 that the suite looks for."""


def conformance_server() -> MCPServer:
    server = MCPServer(
        "conformance", version="1", subscriptions=False, log_level="ERROR", tools=[_tool_with_a_schema_by_hand()]
    )
    for function in (*_CONTENT_TOOLS, *_PROTOCOL_TOOLS, *ASKING_TOOLS):
        server.add_tool(function, description="For the conformance suite.", structured_output=False)
    _add_resources(server)
    _add_prompts(server)
    return server


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _image() -> ImageContent:
    return ImageContent(type="image", data=_encoded(PNG), mime_type="image/png")


def _embedded(uri: str, content: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=content))


async def test_simple_text() -> TextContent:
    return text("This is a simple text response for testing.")


async def test_image_content() -> ImageContent:
    return _image()


async def test_audio_content() -> AudioContent:
    return AudioContent(type="audio", data=_encoded(WAV), mime_type="audio/wav")


async def test_embedded_resource() -> EmbeddedResource:
    return _embedded("test://embedded-resource", "This is an embedded resource content.")


async def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    document = _embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")
    return [text("Multiple content types test:"), _image(), document]


_CONTENT_TOOLS: list[Callable[..., Any]] = [
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
]


async def test_error_handling() -> None:
    raise ToolError("This tool intentionally returns an error for testing")


async def test_tool_with_progress(context: Context) -> TextContent:
    for done in (0, 50, 100):
        await context.report_progress(done, 100)
        await asyncio.sleep(0)
    return text("Three steps were reported.")


async def test_tool_with_logging() -> TextContent:
    return text("Nothing was logged: Zava offers no log notifications.")


async def test_missing_capability(context: Context) -> TextContent:
    if context.client_capabilities is None or context.client_capabilities.sampling is None:
        needed = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool needs a client that samples", needed)
    return text("The client samples.")


async def test_mirrored_argument(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
) -> TextContent:
    return text(region)


_PROTOCOL_TOOLS: list[Callable[..., Any]] = [
    test_error_handling,
    test_tool_with_progress,
    test_tool_with_logging,
    test_missing_capability,
    test_mirrored_argument,
]


def _tool_with_a_schema_by_hand() -> Tool:
    async def order(product: str, deliver: bool = False, to: dict[str, str] | None = None) -> str:
        return f"{product} goes to {to}" if deliver else f"{product} stays here"

    tool = Tool.from_function(
        order, name="json_schema_2020_12_tool", description="For the conformance suite.", structured_output=False
    )
    return tool.model_copy(update={"parameters": ARGUMENTS_SCHEMA})


def _add_resources(server: MCPServer) -> None:
    async def static_text() -> str:
        return "This is the content of the static text resource."

    async def static_binary() -> bytes:
        return PNG

    async def filled_template(id: str) -> str:  # noqa: A002  (the suite's name for it)
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    for uri, mime_type, function in (
        ("test://static-text", "text/plain", static_text),
        ("test://static-binary", "image/png", static_binary),
        ("test://template/{id}/data", "application/json", filled_template),
    ):
        server.resource(uri, mime_type=mime_type, description="For the conformance suite.")(function)


def _add_prompts(server: MCPServer) -> None:
    async def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    async def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    async def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:  # noqa: N803  (the suite's name)
        resource = _embedded(resourceUri, "Embedded resource content for testing.")
        request = text("Please process the embedded resource above.")
        return [Message(role="user", content=resource), Message(role="user", content=request)]

    async def test_prompt_with_image() -> list[Message]:
        request = text("Please analyze the image above.")
        return [Message(role="user", content=_image()), Message(role="user", content=request)]

    async def test_input_required_result_prompt(context: Context) -> str | InputRequiredResult:
        if "user_context" not in answered(context):
            question = form("What context should the prompt use?", "context")
            return InputRequiredResult(input_requests={"user_context": question})
        return "A prompt with the user's context."

    for function in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
        test_input_required_result_prompt,
    ):
        server.prompt(description="For the conformance suite.")(function)

    @server.completion()
    async def complete(  # pyright: ignore[reportUnusedFunction]
        _reference: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        _context: CompletionContext | None,
    ) -> Completion:
        return Completion(values=[word for word in ("paris", "park") if word.startswith(argument.value)])
