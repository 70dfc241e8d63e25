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

_EXIT_SECONDS = 2.0


def start(settings: Settings, credential: SharedCredential) -> None:
    """Send telemetry where the settings say; without a connection string, nowhere.

    Nothing is sent and no vendor's package is imported here: both come with the first item, in a thread.
    """
    connection_string = settings.applicationinsights_connection_string.get_secret_value()
    if settings.telemetry_backend == "none" or not connection_string:
        return
    from opentelemetry.sdk.trace import TracerProvider

    from zava.platform.telemetry_backends.envelopes import Envelopes
    from zava.platform.telemetry_backends.opencensus import open_delivery
    from zava.platform.telemetry_backends.queued import QueuedTelemetry

    destination = Destination.parse(connection_string)
    folder = Path(tempfile.gettempdir()) / f"zava-telemetry-{destination.instrumentation_key}"
    token_source = credential if _wants_token(settings) else None
    backend = QueuedTelemetry(
        Envelopes(destination.instrumentation_key, _tags(settings)),
        lambda: open_delivery(destination.endpoint, folder, token_source),
    )
    provider = TracerProvider(sampler=sampler(settings.telemetry_sampling_rate), shutdown_on_exit=False)
    provider.add_span_processor(backend)
    trace.set_tracer_provider(provider)
    logs.ship(backend.log, on_azure=settings.on_azure)
    telemetry.install(backend)
    atexit.register(backend.shutdown, _EXIT_SECONDS)  # a command's end; a worker is ended by a signal


def sampler(rate: float) -> Sampler:
    """By trace, for callers' traces too: what a caller writes into `traceparent` neither hides nor forces a trace."""
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    ours = TraceIdRatioBased(rate)
    return ParentBased(root=ours, remote_parent_sampled=ours, remote_parent_not_sampled=ours)


def _wants_token(settings: Settings) -> bool:
    return "authorization=aad" in settings.applicationinsights_authentication_string.lower().replace(" ", "")


def _tags(settings: Settings) -> dict[str, str]:
    return {
        "ai.cloud.role": settings.website_site_name or "zava",
        "ai.cloud.roleInstance": settings.website_instance_id or os.environ.get("HOSTNAME", platform.node()),
        "ai.application.ver": VERSION,
        "ai.internal.sdkVersion": f"py{platform.python_version()}:zava{VERSION}",
    }
