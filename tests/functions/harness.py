"""Runs a function app in Microsoft's own Python worker, as the Functions host would drive it.

Started by `worker.py` under the Python and the packages that Azure installs. The host speaks to the worker
in protobuf messages over gRPC; here the same messages go straight to the worker's own handlers, and JSON
lines on standard input and output stand for the host:

    out, first   {"ok": true, "exception": null, "functions": {"events": {"event": "eventGridTrigger"}}}
    in           {"function": "events", "json": {...}}          an Event Grid event, or a timer's state
    in           {"function": "web", "http": {"method": "GET", "url": "...", "headers": {}, "body": ""}}
    out          {"ok": true, "exception": null, "returned": null}
    out          {"ok": true, "exception": null, "returned": {"status": 200, "headers": {}, "body": "..."}}

The app's own standard output goes to standard error, so that it cannot be taken for an answer.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import uuid
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, TextIO


def load_app(runtime: ModuleType, protos: ModuleType, app: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Start the worker on the app's folder and load each function: the first answer, and the functions."""

    def ask(handler: str, **message: Any) -> Any:
        return asyncio.run(getattr(runtime, handler)(request(protos, **message)))

    started = ask(
        "worker_init_request",
        worker_init_request=protos.WorkerInitRequest(
            host_version="4.0.0", function_app_directory=str(app), capabilities={}
        ),
    )
    answer = outcome(protos, started) | {"functions": {}}
    if not answer["ok"]:
        return answer, {}
    indexed = ask("functions_metadata_request", functions_metadata_request=protos.FunctionsMetadataRequest())
    functions = {metadata.name: metadata for metadata in indexed.function_metadata_results}
    for name, metadata in functions.items():
        loaded = ask(
            "function_load_request",
            function_load_request=protos.FunctionLoadRequest(
                function_id=metadata.function_id, metadata=metadata
            ),
        )
        if loaded.result.status != protos.StatusResult.Success:
            return outcome(protos, loaded) | {"functions": {}}, {}
        answer["functions"][name] = {
            binding: info.type
            for binding, info in metadata.bindings.items()
            if info.direction == protos.BindingInfo.Direction.Value("in")
        }
    return answer, functions


def invoke(
    runtime: ModuleType, protos: ModuleType, functions: dict[str, Any], call: dict[str, Any]
) -> dict[str, Any]:
    """Run one function on one trigger, and say how it ended."""
    metadata = functions[call["function"]]
    trigger = next(
        name
        for name, info in metadata.bindings.items()
        if info.direction == protos.BindingInfo.Direction.Value("in")
    )
    if "http" in call:
        data = http_data(protos, call["http"])
    else:
        data = protos.TypedData(json=json.dumps(call["json"]))
    invocation = protos.InvocationRequest(
        invocation_id=str(uuid.uuid4()),
        function_id=metadata.function_id,
        input_data=[protos.ParameterBinding(name=trigger, data=data)],
    )
    answer = asyncio.run(runtime.invocation_request(request(protos, invocation_request=invocation)))
    returned = None
    if answer.return_value.WhichOneof("data") == "http":
        http = answer.return_value.http
        body = http.body.bytes or http.body.string.encode()
        returned = {
            "status": int(http.status_code),
            "headers": dict(http.headers),
            "body": body.decode(),
        }
    return outcome(protos, answer) | {"returned": returned}


def http_data(protos: ModuleType, http: dict[str, Any]) -> Any:
    """An HTTP request as the host hands it to the worker."""
    return protos.TypedData(
        http=protos.RpcHttp(
            method=http["method"],
            url=http["url"],
            headers=http.get("headers", {}),
            body=protos.TypedData(bytes=http.get("body", "").encode()),
        )
    )


def request(protos: ModuleType, **message: Any) -> SimpleNamespace:
    """What the worker's handlers are called with: one message of the host's stream, and the protobufs."""
    return SimpleNamespace(
        request=protos.StreamingMessage(**message),
        properties={"host": "127.0.0.1", "protos": protos},
    )


def outcome(protos: ModuleType, response: Any) -> dict[str, Any]:
    """Whether a response says success, and else the exception, with its traceback."""
    result = response.result
    ok = result.status == protos.StatusResult.Success
    said = f"{result.exception.message}\n{result.exception.stack_trace}".strip()
    return {"ok": ok, "exception": None if ok else said}


def answers_apart() -> TextIO:
    """Keep standard output for the answers, and send whatever the app prints to standard error."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def main() -> None:
    """Load the app, then answer one call a line until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--app", type=Path, required=True, help="folder of function_app.py")
    parser.add_argument("--worker", type=Path, required=True, help="folder of the worker's own packages")
    options = parser.parse_args()
    answers = answers_apart()
    # As in Azure, the root logger has a handler; without one Flask logs into `wsgi.errors`, and
    # azure.functions takes anything written there for a failure of the whole request.
    logging.basicConfig(stream=sys.stderr)
    # The host puts the app before the worker's packages, so that an app's own versions win.
    sys.path[:1] = [str(options.app)]
    sys.path.append(str(options.worker))
    os.chdir(options.app)

    import azure_functions_runtime as runtime
    import functions_protos as protos
    from azure_functions_runtime.utils import threadpool

    threadpool.start_threadpool_executor()
    answer, functions = load_app(runtime, protos, options.app)
    print(json.dumps(answer), file=answers, flush=True)
    for line in sys.stdin:
        answer = invoke(runtime, protos, functions, json.loads(line))
        print(json.dumps(answer), file=answers, flush=True)
    threadpool.stop_threadpool_executor()


if __name__ == "__main__":
    main()
