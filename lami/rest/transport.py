"""The way to Azure's connections: those of requests, as azure-core has them, without a session's own work.

For every request a session of requests asks the environment for proxies, certificates and `.netrc`, merges
headers and cookies of its own and looks for redirects: nearly half of what a read costs here, and a `.netrc`
would replace our token. Here the environment is asked once, and nothing is merged.
"""

from __future__ import annotations

from collections.abc import Mapping

from azure.core.pipeline.transport import RequestsTransport
from requests import PreparedRequest, Response, Session
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict

from lami.rest.characters import whole


class _Connections:
    """In a session's place: sends what it is given through the adapters: they know of TLS, proxies, pools."""

    def __init__(self, endpoint: str, environment: bool) -> None:
        self._session = Session()
        self._session.trust_env = environment
        self._settings = self._session.merge_environment_settings(endpoint, {}, False, None, None)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: tuple[float, float],
        data: str | bytes | None = None,
        **_: object,
    ) -> Response:
        """Send a request, and read the answer to its end as a session would."""
        prepared = PreparedRequest()
        prepared.prepare_method(method)
        prepared.prepare_url(url, None)
        prepared.headers = CaseInsensitiveDict({**self._session.headers, **headers})
        if data:
            prepared.prepare_body(data, None)
        prepared.hooks = default_hooks()
        # Read to its end: a reply that breaks off fails here, where the transport expects it.
        return whole(self._session.get_adapter(url).send(prepared, timeout=timeout, **self._settings))

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()


def make_transport(endpoint: str, connect: float, read: float, environment: bool) -> RequestsTransport:
    """A transport to one endpoint; seconds to connect, and between two pieces of a reply.

    With `environment` its proxies and certificates count (`HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`).
    """
    connections = _Connections(endpoint, environment)
    return RequestsTransport(session=connections, connection_timeout=connect, read_timeout=read)
