"""A small Azure on loopback for the demo, tests and benchmarks; a simulation, and it says so everywhere.

`Sandbox` starts it: ARM for reading, Event Grid for telling, a control API for changing, sinks for alerts.
`resource_id(subscription, group, WORKFLOW, "claims-intake")` makes the ids that its estate is changed by.
"""

from lami.sandbox.model import IDENTITY, SITE, SLOT, WORKFLOW, Actor, Refused, resource_id
from lami.sandbox.server import Sandbox

__all__ = ["IDENTITY", "SITE", "SLOT", "WORKFLOW", "Actor", "Refused", "Sandbox", "resource_id"]
