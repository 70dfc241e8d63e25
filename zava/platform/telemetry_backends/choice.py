"""Which backend the settings ask for, and how it is put under logging, metrics and spans."""

from __future__ import annotations

import atexit
import os
import platform
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry import trace

from zava import VERSION
from zava.platform import logs, telemetry
from zava.platform.credential import SharedCredential
from zava.platform.settings import Settings
from zava.platform.telemetry_backends.connection_string import Destination

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.sampling import Sampler

    from zava.platform.telemetry_backends.azure_monitor import AzureMonitorTelemetry
    from zava.platform.telemetry_backends.queued import QueuedTelemetry

_EXIT_SECONDS = 2.0


def start(settings: Settings, credential: SharedCredential) -> None:
    """Send telemetry where the settings say; without a connection string, nowhere.

    Nothing is sent here. `opencensus` is not even imported: it comes with the first item, in a thread.
    """
    connection_string = settings.applicationinsights_connection_string.get_secret_value()
    if settings.telemetry_backend == "none" or not connection_string:
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    backend = _backend(settings, Destination.parse(connection_string), credential if _wants_token(settings) else None)
    provider = TracerProvider(
        sampler=sampler(settings.telemetry_sampling_rate),
        resource=Resource.create(_resource(settings)),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(backend.processor)
    trace.set_tracer_provider(provider)
    logs.ship(backend.log, on_azure=settings.on_azure)
    telemetry.install(backend)
    atexit.register(backend.shutdown, _EXIT_SECONDS)  # a command's end; a worker is ended by a signal


def _backend(
    settings: Settings, destination: Destination, credential: SharedCredential | None
) -> AzureMonitorTelemetry | QueuedTelemetry:
    folder = Path(tempfile.gettempdir()) / f"zava-telemetry-{destination.instrumentation_key}"
    if settings.telemetry_backend == "azure_monitor":
        from zava.platform.telemetry_backends.azure_monitor import AzureMonitorTelemetry

        return AzureMonitorTelemetry(destination, _resource(settings), folder / "azure-monitor", credential)
    from zava.platform.telemetry_backends.envelopes import Envelopes
    from zava.platform.telemetry_backends.opencensus import open_delivery
    from zava.platform.telemetry_backends.queued import QueuedTelemetry

    about = _resource(settings)
    tags = {
        "ai.cloud.role": about["service.name"],
        "ai.cloud.roleInstance": about["service.instance.id"],
        "ai.application.ver": about["service.version"],
        "ai.internal.sdkVersion": f"py{platform.python_version()}:zava{VERSION}",
    }
    return QueuedTelemetry(
        Envelopes(destination.instrumentation_key, tags),
        lambda: open_delivery(destination.endpoint, folder, credential),
    )


def sampler(rate: float) -> Sampler:
    """By trace, for callers' traces too: what a caller writes into `traceparent` neither hides nor forces a trace."""
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    ours = TraceIdRatioBased(rate)
    return ParentBased(root=ours, remote_parent_sampled=ours, remote_parent_not_sampled=ours)


def _wants_token(settings: Settings) -> bool:
    return "authorization=aad" in settings.applicationinsights_authentication_string.lower().replace(" ", "")


def _resource(settings: Settings) -> dict[str, str]:
    """Who says it, by OpenTelemetry's names."""
    return {
        "service.name": settings.website_site_name or "zava",
        "service.instance.id": settings.website_instance_id or os.environ.get("HOSTNAME", platform.node()),
        "service.version": VERSION,
    }
