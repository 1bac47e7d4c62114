"""One read of ARM, layer by layer: what each adds to the client's processor time.

Each layer reads the same role assignment of the sandbox, which is in another process, and takes its turn.
The floor is `http.client` on a kept connection; what is above it is what a layer adds to the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from statistics import mean
from time import process_time

import requests
import urllib3
from azure.core.credentials import AccessToken
from azure.core.rest import HttpRequest
from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient

from lami.arm.azure import AzureArm
from lami.arm.clients import Clients
from lami.arm.pipeline import make_pipeline
from lami.bench.azure import NARROW, addresses, grant, put_app, small_azure, vault
from lami.bench.floors import bare_get
from lami.bench.measure import Floor, NotMeasured, Row, Say, Size
from lami.core.ids import ResourceId
from lami.core.model import Present
from lami.rest.pipeline import NoAuthentication

_TIMES = {"quick": 30, "full": 1_000}
_VERSION = "2022-04-01"
_FLOOR = "http.client on a kept connection"


def run(size: Size, say: Say) -> Iterator[Row]:
    """From the bare connection to what lami makes of the answer; and the SDK as it comes."""
    with ExitStack() as stack:
        azure = stack.enter_context(small_azure())
        app = azure.do(put_app, "claims-intake")
        where = azure.do(addresses)
        id = ResourceId(azure.do(grant, NARROW, vault(where.subscription, 1), of=app.id).id)
        say(f"{_TIMES[size]} reads by each layer")
        layers = _layers(stack, where.arm, id)
        spent: dict[str, list[float]] = {name: [] for name in layers}
        for number in range(_TIMES[size] + 1):
            for name, read in layers.items():
                before = process_time()
                read()
                if number:  # the first one connects, and fills caches
                    spent[name].append(process_time() - before)
    least = 1000 * mean(spent[_FLOOR])
    for name, seconds in spent.items():
        floor = None if name == _FLOOR else Floor(least, _FLOOR)
        yield Row("read", f"{name}: processor, mean", 1000 * mean(seconds), "ms", floor)


def _layers(stack: ExitStack, endpoint: str, id: ResourceId) -> dict[str, Callable[[], object]]:
    """The layers, each upon the one before it but for the last."""
    url = f"{endpoint}{id.text}?api-version={_VERSION}"
    pool = urllib3.PoolManager()
    session = stack.enter_context(requests.Session())
    session.trust_env = False
    pipeline = make_pipeline(endpoint, None)
    clients = stack.enter_context(closing(Clients(endpoint, None, ())))
    arm = stack.enter_context(closing(AzureArm(endpoint, None)))
    stock = stack.enter_context(
        AuthorizationManagementClient(
            _Nobody(), "", base_url=endpoint, authentication_policy=NoAuthentication()
        )
    )

    def look() -> None:
        match arm.assignment(id):
            case Present():
                return
            case other:
                raise NotMeasured(f"the assignment to be read is {other}")

    return {
        _FLOOR: stack.enter_context(bare_get(endpoint, id.text, _VERSION)),
        "urllib3": lambda: pool.request("GET", url).data,
        "requests": lambda: session.get(url, timeout=10).content,
        "azure-core with lami's policies, JSON parsed": lambda: pipeline.run(
            HttpRequest("GET", url), stream=False
        ),
        "azure-mgmt-authorization on that": lambda: clients.assignment(id),
        "lami's look on that": look,
        "azure-mgmt-authorization as it comes": lambda: stock.role_assignments.get_by_id(id.text.lstrip("/")),
    }


class _Nobody:
    """Stands where the SDK insists on a credential and none is used."""

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        """Give no token to anybody."""
        return AccessToken("", 0)
