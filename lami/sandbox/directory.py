"""The little Azure's directory: who is in the tenant, who was deleted and can be restored, who is gone.

- Whoever is the identity of a resource is there as long as that is; after that it is among what was deleted.
  # Assumption: as any service principal; Azure may also take it away for good at once.
- So is whoever acted, or is granted something: Azure grants nothing to principals that it does not know.
- A test says of anybody that it was deleted, purged or restored, whatever the resources say.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, cast

from lami.sandbox.estate import Estate
from lami.sandbox.model import JsonObject, Refused

State = Literal["alive", "deleted", "purged"]
MOST = 1000
_TYPES = {"User": "user", "Group": "group", "ServicePrincipal": "servicePrincipal"}


@dataclass(frozen=True, slots=True)
class Directory:
    """Who is in the directory, as the estate and what was said of them have it."""

    estate: Estate
    marks: dict[str, State] = field(default_factory=dict)

    def mark(self, principal: str, state: State) -> None:
        """Say that a principal is deleted, purged, or alive again."""
        with self.estate.lock:
            self.marks[principal.lower()] = state

    def state(self, principal: str) -> State:
        """How a principal stands; one that was never heard of is as one that is purged."""
        estate = self.estate
        with estate.lock:
            if principal in self.marks:
                return self.marks[principal]
            if principal in estate.identities:
                present = (each.system for each in estate.resources.all())
                return "alive" if any(one and one.principal_id == principal for one in present) else "deleted"
            granted = any(each.principal_id == principal for each in estate.assignments.all())
            return "alive" if granted or principal in estate.directory else "purged"

    def type(self, principal: str) -> str:
        """The type that Graph gives a principal."""
        granted = (each for each in self.estate.assignments.all() if each.principal_id == principal)
        given = next((each.principal_type for each in granted), "ServicePrincipal")
        return "#microsoft.graph." + _TYPES.get(given, "device")


def is_graph(path: str) -> bool:
    """Whether a path belongs to Microsoft Graph."""
    return path.lower().startswith("/v1.0/")


def answer(directory: Directory, method: str, path: str, body: JsonObject) -> JsonObject:
    """The body of a 200; raises Refused with the status and code of anything else."""
    parts = path.lower().strip("/").split("/")
    if (method, parts) == ("POST", ["v1.0", "directoryobjects", "getbyids"]):
        shown = [one for one in _ids(body) if directory.state(one) == "alive"]
        return {"value": [{"@odata.type": directory.type(one), "id": one} for one in shown]}
    match (method, parts):
        case ("GET", ["v1.0", "directory", "deleteditems", principal]):
            if directory.state(principal) == "deleted":
                return {"@odata.type": directory.type(principal), "id": principal}
            message = (
                f"Resource '{principal}' does not exist or one of its queried references is not present."
            )
            raise Refused(message, 404, "Request_ResourceNotFound")
    raise Refused(f"The sandbox's Graph has nothing at {method} {path!r}.", 400, "BadRequest")


def _ids(body: JsonObject) -> Iterable[str]:
    ids = body.get("ids")
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise Refused("'ids' has to be a list of strings", 400, "Request_BadRequest")
    if len(ids) > MOST:
        raise Refused(f"There are more than {MOST} ids.", 400, "Request_BadRequest")
    return dict.fromkeys(one.lower() for one in cast("list[str]", ids))
