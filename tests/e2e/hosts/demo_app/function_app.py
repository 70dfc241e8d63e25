"""The smallest app that shows every rule of the HTTP trigger that the development host keeps."""

from __future__ import annotations

import asyncio
import json
import os
import threading

import azure.functions as func
from demo_timers import timers

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(timers)
SETTING = os.environ.get("DEMO_SETTING")
LOOP = asyncio.get_running_loop()


def _json(value: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(value), mimetype="application/json")


@app.route(route="echo/{name?}", methods=["GET", "POST", "HEAD"])
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return _json(
        {
            "method": req.method,
            "url": req.url,
            "route": dict(req.route_params),
            "query": dict(req.params),
            "many": req.headers.get("X-Many"),
            "body": req.get_body().decode(),
            "setting": SETTING,
            "same_loop": asyncio.get_running_loop() is LOOP,
            "context": [context.function_name, len(context.invocation_id)],
        }
    )


@app.route(route="sync", methods=["GET"])
def sync(req: func.HttpRequest) -> str:
    return f"main thread: {threading.current_thread() is threading.main_thread()}"


@app.route(route="any")
async def anything(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.method)


@app.route(route="things/{number:int}", methods=["GET"])
async def by_number(req: func.HttpRequest) -> func.HttpResponse:
    return _json({"number": req.route_params["number"]})


@app.route(route="things/{key:guid}", methods=["GET"])
async def by_key(req: func.HttpRequest) -> func.HttpResponse:
    return _json({"key": req.route_params["key"]})


@app.route(route="files/{*path}", methods=["GET"])
async def files(req: func.HttpRequest) -> func.HttpResponse:
    return _json(dict(req.route_params))


@app.route(route="headers", methods=["GET"])
async def headers(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("teapot", status_code=418, mimetype="text/html")
    headers_set = [("X-Twice", "first"), ("x-twice", "last"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/")]
    for name, value in headers_set:
        response.headers.add(name, value)
    return response


@app.route(route="empty", methods=["DELETE"])
async def empty(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=204)


@app.route(route="boom", methods=["GET"])
async def boom(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("the caller never sees this text")


@app.route(route="nothing", methods=["GET"])
async def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return None  # pyright: ignore[reportReturnType]


# Between overlapping routes the functions' names decide.
@app.function_name("zzz")
@app.route(route="overlap/exact", methods=["GET"])
async def exact(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("exact")


@app.function_name("aaa")
@app.route(route="overlap/{anything}", methods=["GET"])
async def catching(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("catching")
