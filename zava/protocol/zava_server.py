"""The package's server, whose resources, prompts and completions know the caller, and whose schemas cost fewer tokens.

The package passes no context to a static resource and none to a completion, and turns an argument that is wrong into an
internal error; so these are answered here, from tables, and everything else by the package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mcp.server import MCPServer, ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.types import (
    CompleteRequestParams,
    CompleteResult,
    Completion,
    GetPromptResult,
    InputRequiredResult,
    Prompt,
    PromptMessage,
    PromptReference,
    Resource,
    ResourceTemplate,
    TextContent,
    Tool,
)
from pydantic import AnyUrl

from zava.errors import ValidationError
from zava.protocol import compact_schema, resources
from zava.protocol.endpoint import kernel_server
from zava.protocol.prompts import PROMPTS, Argument
from zava.protocol.request import McpRequest, request_in, request_of
from zava.protocol.resources import ZavaResources
from zava.services.own_values import OwnValues

_MOST_COMPLETIONS = 100  # MCP, "Completion"
_TABLE_ARGUMENTS = {"table": Argument("table", "A table of the schema.")}


class ZavaServer(MCPServer):
    def __init__(self, name: str, *, own_resources: ZavaResources, own_values: OwnValues, **options: Any) -> None:
        super().__init__(name, **options)
        self._own_resources = own_resources
        self._own_values = own_values
        kernel_server(self).add_request_handler("completion/complete", CompleteRequestParams, self._complete)

    async def list_tools(self) -> list[Tool]:
        return [
            tool.model_copy(
                update={
                    "input_schema": compact_schema.without_titles(tool.input_schema),
                    "output_schema": tool.output_schema and compact_schema.of_answers(tool.output_schema),
                }
            )
            for tool in await super().list_tools()
        ]

    async def list_resources(self) -> list[Resource]:
        return [*resources.LISTED, *await super().list_resources()]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        return [*resources.TEMPLATES, *await super().list_resource_templates()]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        if context is not None:
            content = await self._own_resources.read(str(uri), request_of(context))
            if content is not None:
                return [content]
        return await super().read_resource(uri, context)

    async def list_prompts(self) -> list[Prompt]:
        return [guide.listed(name) for name, guide in PROMPTS.items()]

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context | None = None
    ) -> GetPromptResult | InputRequiredResult:
        if context is None or name not in PROMPTS:
            return await super().get_prompt(name, arguments, context)
        guide = PROMPTS[name]
        values = await self._checked(guide.arguments, arguments or {}, request_of(context))
        text = TextContent(type="text", text=guide.text(values))
        return GetPromptResult(description=guide.description, messages=[PromptMessage(role="user", content=text)])

    async def _checked(
        self, arguments: Mapping[str, Argument], given: Mapping[str, str], request: McpRequest
    ) -> dict[str, str]:
        """The arguments as `OwnValues.checked` writes them; an empty one counts as left out.

        Raises:
            ValidationError: one is missing, unknown, or has a value that does not fit; the message names it.
        """
        if unknown := given.keys() - arguments.keys():
            raise ValidationError(
                f"There is no argument {min(unknown)[:60]!r}.", f"The arguments are: {', '.join(arguments)}."
            )
        values: dict[str, str] = {}
        for name, argument in arguments.items():
            text = given.get(name, "").strip() or argument.default
            if text:
                try:
                    values[name] = await self._own_values.checked(
                        argument.kind, text, request.caller.scope, deadline=request.deadline
                    )
                except ValidationError as problem:
                    raise ValidationError(f"Argument {name}: {problem.message}", problem.hint) from None
            elif argument.required:
                raise ValidationError(f"The argument {name} is missing.", argument.description)
        return values

    async def _complete(self, ctx: ServerRequestContext[Any, Any], params: CompleteRequestParams) -> CompleteResult:
        arguments = _arguments(params)
        request = request_in(ctx)
        values: list[str] = []
        if (argument := arguments.get(params.argument.name)) is not None:
            given = (params.context.arguments if params.context else None) or {}
            values = await self._own_values.starting_with(
                argument.kind,
                params.argument.value,
                request.caller.scope,
                deadline=request.deadline,
                chosen={arguments[name].kind: text for name, text in given.items() if name in arguments},
            )
        shown = values[:_MOST_COMPLETIONS]
        return CompleteResult(completion=Completion(values=shown, total=len(values), has_more=len(shown) < len(values)))


def _arguments(params: CompleteRequestParams) -> Mapping[str, Argument]:
    """The arguments of what is being filled in; none if there is no such thing."""
    if isinstance(params.ref, PromptReference):
        guide = PROMPTS.get(params.ref.name)
        return guide.arguments if guide else {}
    return _TABLE_ARGUMENTS if params.ref.uri == resources.TABLE else {}
