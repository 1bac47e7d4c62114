"""lami as an Azure Functions app: an Event Grid trigger, two timers and the web app. Each body is one call.

Nothing is read or connected at import: the app indexes with no settings at all, and a wrong setting is said
by the first call. The trigger takes the event as `str`: so annotated, the worker hands over the whole event
as JSON in either schema, where its event classes would drop what they don't know.
"""

from __future__ import annotations

import azure.functions as func

from lami.functions import instance
from lami.web.late import make_late_app

app = func.WsgiFunctionApp(
    app=make_late_app(instance.get),
    http_auth_level=func.AuthLevel.ANONYMOUS,
    function_name="web",
)


@app.event_grid_trigger(arg_name="event")
def events(event: str) -> None:
    """One Event Grid event, in either schema. An exception makes Event Grid deliver it again."""
    instance.receive(event)


@app.timer_trigger(arg_name="timer", schedule="*/30 * * * * *", run_on_startup=False)
def due(timer: func.TimerRequest) -> None:
    """Every 30 s: re-checks and debts whose time has come."""
    instance.walk()


@app.timer_trigger(arg_name="timer", schedule="0 */10 * * * *", run_on_startup=False)
def reconcile(timer: func.TimerRequest) -> None:
    """Every 10 min: take the baseline if there is none, reconcile if `LAMI_RECONCILE` has passed."""
    instance.reconcile()
