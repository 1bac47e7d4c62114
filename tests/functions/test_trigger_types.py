"""What the Event Grid trigger hands to a function: the fact that function_app.py's `event: str` rests on."""

import json
from pathlib import Path

import pytest

from tests.functions.worker import Worker

pytestmark = pytest.mark.runtime

EVENT_GRID = {
    "id": "1",
    "topic": "/subscriptions/s",
    "subject": "/subscriptions/s/resourceGroups/r",
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "eventTime": "2026-11-24T08:00:00.1234567Z",
    "data": {"operationName": "Microsoft.Logic/workflows/write"},
    "dataVersion": "2",
    "metadataVersion": "1",
}
CLOUD = {
    "id": "2",
    "source": "/subscriptions/s",
    "subject": "/subscriptions/s/resourceGroups/r",
    "type": "Microsoft.Resources.ResourceWriteSuccess",
    "time": "2026-11-24T08:00:00.1234567Z",
    "specversion": "1.0",
    "data": {"operationName": "Microsoft.Logic/workflows/write"},
    "Odd-Extension": "kept",
}
FUNCTION_APP = """
import json
from pathlib import Path
import azure.functions as func

app = func.FunctionApp()

@app.event_grid_trigger(arg_name="event")
def events(event{annotation}) -> None:
    kind = type(event).__name__
    Path("handed.json").write_text(json.dumps([kind, event if kind == "str" else event.id]))
"""


def handed(folder: Path, annotation: str, event: dict[str, object]) -> list[str]:
    """The class name of what a function so annotated is handed, and the text or the event's id."""
    folder.mkdir(exist_ok=True)
    (folder / "function_app.py").write_text(FUNCTION_APP.format(annotation=annotation))
    with Worker(folder, {}) as worker:
        assert worker.functions == {"events": {"event": "eventGridTrigger"}}, worker.exception
        answer = worker.call("events", event)
        assert answer.ok, answer.exception
    answered: list[str] = json.loads((folder / "handed.json").read_text())
    return answered


@pytest.mark.parametrize("event", [EVENT_GRID, CLOUD], ids=["EventGridSchema", "CloudEvents"])
def test_str_is_handed_the_whole_event_as_it_came(tmp_path: Path, event: dict[str, object]) -> None:
    """A parameter annotated `str` gets the JSON text of either schema, with nothing parsed away."""
    kind, text = handed(tmp_path, ": str", event)
    assert kind == "str"
    assert json.loads(text) == event


@pytest.mark.parametrize("annotation", [": func.EventGridEvent", ": func.CloudEvent", ""])
@pytest.mark.parametrize(
    ("event", "kind"),
    [(EVENT_GRID, "EventGridEvent"), (CLOUD, "CloudEvent")],
    ids=["EventGridSchema", "CloudEvents"],
)
def test_other_annotations_do_not_decide_the_class(
    tmp_path: Path, annotation: str, event: dict[str, object], kind: str
) -> None:
    """Without `str`, the event's own schema decides the class, whatever the annotation says."""
    assert handed(tmp_path, annotation, event)[0] == kind
