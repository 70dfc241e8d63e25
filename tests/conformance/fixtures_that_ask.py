"""Tools that ask the client back by an interim result (MCP 2026-07-28); names and texts are the suite's contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import Context
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequests,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)


def text(line: str) -> TextContent:
    return TextContent(type="text", text=line)


def form(message: str, field: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sampling(question: str, max_tokens: int = 100) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=text(question))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=max_tokens))


def answered(context: Context) -> dict[str, Any]:
    return dict(context.input_responses or {})


async def test_input_required_result_elicitation(context: Context) -> TextContent | InputRequiredResult:
    answer = answered(context).get("user_name")
    name = (answer.content or {}).get("name") if isinstance(answer, ElicitResult) else None
    if not isinstance(name, str):
        return InputRequiredResult(input_requests={"user_name": form("What is your name?", "name")})
    return text(f"Hello, {name}!")


async def test_input_required_result_sampling(context: Context) -> TextContent | InputRequiredResult:
    if "capital_question" not in answered(context):
        return InputRequiredResult(input_requests={"capital_question": _sampling("What is the capital of France?")})
    return text("The client's model has answered.")


async def test_input_required_result_list_roots(context: Context) -> TextContent | InputRequiredResult:
    answer = answered(context).get("client_roots")
    if answer is None:
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})
    return text(f"The client's roots: {', '.join(str(root.uri) for root in answer.roots)}")


async def test_input_required_result_request_state(context: Context) -> TextContent | InputRequiredResult:
    if not answered(context):
        question = form("Please confirm", "ok", "boolean")
        return InputRequiredResult(input_requests={"confirm": question}, request_state="asked")
    return text("state-ok" if context.request_state == "asked" else "another state")


async def test_input_required_result_tampered_state(context: Context) -> TextContent | InputRequiredResult:
    return await test_input_required_result_request_state(context)


async def test_input_required_result_multiple_inputs(context: Context) -> TextContent | InputRequiredResult:
    questions: InputRequests = {
        "user_name": form("What is your name?", "name"),
        "greeting": _sampling("Generate a greeting", 50),
        "client_roots": ListRootsRequest(),
    }
    if not questions.keys() <= answered(context).keys():
        return InputRequiredResult(input_requests=questions, request_state="asked")
    return text("All three were answered.")


async def test_input_required_result_multi_round(context: Context) -> TextContent | InputRequiredResult:
    if context.request_state is None:
        name = form("Step 1: What is your name?", "name")
        return InputRequiredResult(input_requests={"step1": name}, request_state="name asked")
    if context.request_state == "name asked":
        color = form("Step 2: What is your favorite color?", "color")
        return InputRequiredResult(input_requests={"step2": color}, request_state="color asked")
    return text("Both steps are done.")


async def test_input_required_result_capabilities(context: Context) -> TextContent | InputRequiredResult:
    capabilities, questions = context.client_capabilities, InputRequests()
    if capabilities is not None and capabilities.elicitation is not None:
        questions["name"] = form("What is your name?", "name")
    if capabilities is not None and capabilities.sampling is not None:
        questions["greeting"] = _sampling("Generate a greeting")
    return InputRequiredResult(input_requests=questions) if questions else text("There is nobody to ask.")


ASKING_TOOLS: list[Callable[..., Any]] = [
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_tampered_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_capabilities,
]
