"""The workflows of a Standard logic app: files of its site, which Azure Resource Manager has the app show.

They are answered by the app's own runtime, so a stopped or broken app does not answer, and what is answered
may take its time. All are read or none: what a workflow shows that could not be read is not gone.

Source: Microsoft, App Service REST API: Web Apps - List Workflows, Get Workflow, and those of slots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from lami.arm.clients import ONCE, SITES_VERSION, Clients
from lami.arm.definition import WORKFLOW, read_workflows
from lami.arm.read import Json
from lami.core.ids import ResourceId
from lami.core.model import Definition
from lami.rest.unreadable import Unreadable

MOST = 50
"""How many workflows of an app are read, the first by name. Microsoft advises to keep to some 15."""
# Assumption: nobody could see how long a list the API gives, and whether it comes in pages.


@dataclass(frozen=True, slots=True)
class Until:
    """When no read is to begin any longer, by a clock in seconds."""

    at: float
    clock: Callable[[], float]

    def check(self) -> None:
        """Raise Unreadable where time is up."""
        if self.clock() >= self.at:
            raise Unreadable("it took too long")


def read(clients: Clients, app: ResourceId, until: Until) -> Definition:
    """What all workflows of an app show together; raises as the clients do, and where time is up."""
    names = sorted(set(_names(clients, app, until)), key=lambda name: (name.lower(), name))
    oddity = f"the app has {len(names)} workflows, of which {MOST} were read" if len(names) > MOST else ""
    return read_workflows(((name, _files(clients, app, name, until)) for name in names[:MOST]), oddity)


def _names(clients: Clients, app: ResourceId, until: Until) -> Iterator[str]:
    until.check()
    for line in clients.resources(_workflows(app), SITES_VERSION, ONCE):
        yield _name(line)
        until.check()


def _files(clients: Clients, app: ResourceId, name: str, until: Until) -> Json:
    until.check()
    body = clients.resource(ResourceId(f"{_workflows(app)}/{name}"), SITES_VERSION, ONCE)
    # The reply's own id leaves out a slot, in Microsoft's examples.
    if _name(body).lower() != name.lower():
        raise Unreadable("the reply is about another workflow")
    properties = body.get("properties")
    files = properties.get("files") if isinstance(properties, dict) else None
    if not isinstance(files, dict) or WORKFLOW not in files:
        raise Unreadable("the reply has no files of the workflow")
    return files


def _workflows(app: ResourceId) -> ResourceId:
    return ResourceId(f"{app}/workflows")


def _name(body: object) -> str:
    """The name of a workflow, of `site/name` or of `site/slot/name`."""
    given = body.get("name") if isinstance(body, Mapping) else None
    name = given.rpartition("/")[2] if isinstance(given, str) else ""
    if not name.strip():
        raise Unreadable("a workflow has no name")
    return name
