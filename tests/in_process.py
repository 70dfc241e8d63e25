"""A caller of the app's own endpoint, without a socket: one JSON-RPC request in, its answer out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.small_endpoint import handshake
from zava.bootstrap import Application


@dataclass(frozen=True, slots=True)
class InProcess:
    application: Application
    token: str

    async def ask(self, method: str, /, **params: Any) -> tuple[int, dict[str, Any]]:
        """The status, and the whole JSON-RPC answer."""
        request = handshake(method, params)
        headers = request.headers | {"authorization": f"Bearer {self.token}"}
        reply = await self.application.endpoint.handle(request.method, headers, request.body)
        return reply.status, json.loads(reply.body)

    async def result(self, method: str, /, **params: Any) -> dict[str, Any]:
        status, answer = await self.ask(method, **params)
        assert status == 200, answer
        return answer["result"]

    async def read(self, uri: str) -> str:
        (content,) = (await self.result("resources/read", uri=uri))["contents"]
        assert content["uri"] == uri
        return content["text"]

    async def prompt(self, name: str, **arguments: str) -> str:
        (message,) = (await self.result("prompts/get", name=name, arguments=arguments))["messages"]
        assert message["role"] == "user"
        return message["content"]["text"]

    async def complete(self, prompt: str, argument: str, begun: str = "", **chosen: str) -> list[str]:
        completed = await self.result(
            "completion/complete",
            ref={"type": "ref/prompt", "name": prompt},
            argument={"name": argument, "value": begun},
            context={"arguments": chosen},
        )
        return completed["completion"]["values"]

    async def complete_table(self, begun: str = "") -> list[str]:
        reference = {"type": "ref/resource", "uri": "zava://schema/{table}"}
        completed = await self.result("completion/complete", ref=reference, argument={"name": "table", "value": begun})
        return completed["completion"]["values"]
