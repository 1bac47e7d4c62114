"""Event Grid: findings published to a custom topic as CloudEvents, one event a finding."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import ClassVar

from azure.core.credentials import AzureKeyCredential, TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.core.messaging import CloudEvent
from msgspec import Struct

from lami.channels.channel import Alert
from lami.channels.post import seconds
from lami.core.shapes import finding_json
from lami.errors import Permanent, Temporary

TYPE = "lami.finding.opened"
SOURCE = "/lami"
MAX_BATCH = 900_000
"""Bytes of the events of one request; Event Grid takes 1 MB and bills by 64 KB, however they are batched."""
_TIMEOUT = 6
"""Seconds for connecting and for the answer."""

Event = CloudEvent[dict[str, object]]


class _Options(logging.Filter):
    """Drops a warning of azure-eventgrid 4.22: it offers the options of `send` to each event as well."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record says anything else."""
        return "is not a known attribute" not in record.msg


_OPTIONS = _Options()


class EventGrid(Struct, frozen=True):
    """Publishes to one custom topic (`https://NAME.REGION-1.eventgrid.azure.net/api/events`).

    A token is only ever sent over https: azure-core refuses plain http with it. On loopback, where there is
    no token to be had, an `AzureKeyCredential` of any key stands in.
    """

    endpoint: str
    credential: TokenCredential | AzureKeyCredential
    name: ClassVar[str] = "event-grid"

    def send(self, alert: Alert) -> None:
        """Publish the alert's findings. Sent again, an event has the id it had."""
        # Imported here: it costs a quarter of a second that those without this channel need not pay.
        from azure.eventgrid import EventGridPublisherClient

        logging.getLogger("azure.eventgrid._legacy._generated._serialization").addFilter(_OPTIONS)
        try:
            with EventGridPublisherClient(self.endpoint, self.credential) as client:
                for batch in _batches(render(alert)):
                    # Trying again is the outbox's work: the library would wait longer than an event may take.
                    client.send(
                        batch,
                        retry_total=0,
                        permit_redirects=False,
                        connection_timeout=_TIMEOUT,
                        read_timeout=_TIMEOUT,
                    )
        except ResourceNotFoundError:  # raised anew by the library, without its status
            raise Permanent("the Event Grid topic answered 404") from None
        except HttpResponseError as error:
            raise _failure(error) from None
        except AzureError as error:
            raise Temporary(f"no answer from the Event Grid topic ({type(error).__name__})") from None


def render(alert: Alert) -> tuple[Event, ...]:
    """One CloudEvent for each finding of the alert; its data is the finding as the contract has it."""
    return tuple(
        Event(
            source=SOURCE,
            type=TYPE,
            id=f"{finding.id}.{finding.revision}",
            time=finding.opened_at,
            subject=finding.subject.id,
            datacontenttype="application/json",
            data=finding_json(finding),
        )
        for finding in alert.findings
    )


def _batches(events: tuple[Event, ...]) -> Iterator[list[Event]]:
    batch, size = list[Event](), 0
    for event in events:
        weight = len(json.dumps(event.data)) + 1_000 + len(event.subject or "")
        if batch and size + weight > MAX_BATCH:
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += weight
    if batch:
        yield batch


def _failure(error: HttpResponseError) -> Temporary | Permanent:
    status = error.status_code or 0
    said = f"the Event Grid topic answered {status}"
    if status in (408, 429) or status >= 500 or status == 0:
        headers: Mapping[str, str] = getattr(error.response, "headers", {})
        return Temporary(said, seconds(headers.get("Retry-After")))
    return Permanent(said)
