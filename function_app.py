"""The triggers of the function app, and nothing else: each hands its request on and its answer back."""

from __future__ import annotations

import logging

import azure.functions as func

from zava import bootstrap
from zava.platform import settings
from zava.protocol.http import HttpReply
from zava.protocol.metadata import metadata_reply

app = func.FunctionApp(
    http_auth_level=func.AuthLevel.ANONYMOUS
)  # every call brings a bearer token, which Zava verifies
zava = bootstrap.build(settings.load())


# GET and DELETE are listed so that the endpoint itself answers 405, which tells older clients there is no stream.
@app.function_name("mcp")
@app.route(route="mcp", methods=["POST", "GET", "DELETE"])
async def mcp(req: func.HttpRequest) -> func.HttpResponse:
    return _response(await zava.endpoint.handle(req.method, req.headers, req.get_body()))


@app.function_name("protected_resource_metadata")
@app.route(route=".well-known/oauth-protected-resource/{*path}", methods=["GET"])
async def protected_resource_metadata(req: func.HttpRequest) -> func.HttpResponse:
    return _response(metadata_reply(zava.resource, req.route_params.get("path", ""), req.headers))


@app.function_name("health_live")
@app.route(route="health/live", methods=["GET"])
async def health_live(req: func.HttpRequest) -> func.HttpResponse:
    return _response(zava.health.live())


@app.function_name("health_ready")
@app.route(route="health/ready", methods=["GET"])
async def health_ready(req: func.HttpRequest) -> func.HttpResponse:
    return _response(await zava.health.ready(req.headers))


@app.function_name("refresh_embeddings")
@app.timer_trigger(schedule="%EMBEDDING_REFRESH_SCHEDULE%", arg_name="timer", run_on_startup=False)
async def refresh_embeddings(timer: func.TimerRequest) -> None:
    embedded = await zava.embedding_refresh.run()
    logging.getLogger("zava").info("embedding refresh: %s embedded, past due: %s", embedded, timer.past_due)


def _response(reply: HttpReply) -> func.HttpResponse:
    return func.HttpResponse(
        reply.body,
        status_code=reply.status,
        headers=dict(reply.headers),
        mimetype=reply.headers.get("content-type", "text/plain"),
    )
