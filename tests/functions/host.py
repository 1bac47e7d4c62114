"""Stands for the Functions host's Event Grid extension: a webhook that hands each event to a worker."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from tests.functions.worker import Worker


@contextmanager
def webhook_of(worker: Worker, function: str) -> Iterator[str]:
    """The URL that Event Grid delivers to; what the function raises becomes a 500, and so a redelivery.

    Both handshakes are answered here, as the extension does it, before any event reaches the function.
    """

    class Webhook(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_OPTIONS(self) -> None:
            self.send_response(200)
            self.send_header("WebHook-Allowed-Origin", self.headers["WebHook-Request-Origin"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            events = body if isinstance(body, list) else [body]
            if self.headers["aeg-event-type"] == "SubscriptionValidation":
                self.answer(200, {"validationResponse": events[0]["data"]["validationCode"]})
            else:
                kept = all(worker.call(function, event).ok for event in events)
                self.answer(200 if kept else 500, {})

        def answer(self, status: int, content: dict[str, str]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing for each request."""

    server = HTTPServer(("127.0.0.1", 0), Webhook)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/runtime/webhooks/eventgrid"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
