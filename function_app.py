"""The triggers of the function app, and nothing else: each hands its request on and its answer back."""

from __future__ import annotations

import gc

gc.disable()  # until all is imported: nothing of it is garbage, and looking for some is a tenth of the cold start

import logging
from collections.abc import Awaitable, Callable

import azure.functions as func

from zava import bootstrap
from zava.platform import logs, settings
from zava.protocol.home import home_reply
from zava.protocol.http import HttpReply
from zava.protocol.metadata import metadata_reply
from zava.services.embedding_refresh import TIMER_SECONDS

app = func.FunctionApp(
    http_auth_level=func.AuthLevel.ANONYMOUS
)  # every call brings a bearer token, which Zava verifies
configuration = settings.load()
logs.install(configuration.log_level, on_azure=configuration.on_azure)
zava = bootstrap.build(configuration)
zava.shutdown.arm()
gc.enable()


# The host's own page at / is switched off by the app setting AzureWebJobsDisableHomepage=true.
@app.function_name("home")
@app.route(route="/", methods=["GET"])
async def home(req: func.HttpRequest) -> func.HttpResponse:
    return await _answered(req, lambda: home_reply(zava.resource, req.headers))


# GET and DELETE are listed so that the endpoint itself answers 405, which tells older clients there is no stream.
@app.function_name("mcp")
@app.route(route="mcp", methods=["POST", "GET", "DELETE", "OPTIONS"])
async def mcp(req: func.HttpRequest) -> func.HttpResponse:
    return await _answered(req, lambda: zava.endpoint.handle(req.method, req.headers, req.get_body()))


@app.function_name("protected_resource_metadata")
@app.route(route=".well-known/oauth-protected-resource/{*path}", methods=["GET", "OPTIONS"])
async def protected_resource_metadata(req: func.HttpRequest) -> func.HttpResponse:
    path = req.route_params.get("path", "")
    return await _answered(req, lambda: metadata_reply(zava.resource, path, req.headers), any_origin=True)


@app.function_name("health")
@app.route(route="health", methods=["GET"])
async def health(req: func.HttpRequest) -> func.HttpResponse:
    return await _answered(req, lambda: zava.health.detailed(req.headers))


@app.function_name("health_live")
@app.route(route="health/live", methods=["GET"])
async def health_live(req: func.HttpRequest) -> func.HttpResponse:
    return await _answered(req, zava.health.live)


@app.function_name("health_ready")
@app.route(route="health/ready", methods=["GET"])
async def health_ready(req: func.HttpRequest) -> func.HttpResponse:
    return await _answered(req, lambda: zava.health.ready(req.headers))


@app.function_name("refresh_embeddings")
@app.timer_trigger(schedule="%EMBEDDING_REFRESH_SCHEDULE%", arg_name="timer", run_on_startup=False)
async def refresh_embeddings(timer: func.TimerRequest) -> None:
    if timer.past_due:
        logging.getLogger("zava").info("the embedding refresh is past due: it makes up for what was missed")
    with zava.shutdown.interruptible():
        await zava.embedding_refresh.run(seconds=TIMER_SECONDS)


async def _answered(
    req: func.HttpRequest, work: Callable[[], Awaitable[HttpReply]], *, any_origin: bool = False
) -> func.HttpResponse:
    reply = await zava.edge.answer(req.method, req.headers, work, any_origin=any_origin)
    return func.HttpResponse(
        reply.body,
        status_code=reply.status,
        headers=dict(reply.headers),
        mimetype=reply.headers.get("content-type", "text/plain"),
    )
