"""How large the page is and what goes to Teams, after an app with three grants was recreated."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from lami.bench.azure import APP, addresses, event, newest_card, put_app, recreate, small_azure
from lami.bench.event import populate
from lami.bench.measure import NotMeasured, Row, Say, Size, at_most
from lami.bench.stage import lami_on, settings_for
from lami.channels.teams import MAX_BODY
from lami.schedule import take_baseline_if_none
from lami.store.sqlite import SqliteTable
from lami.web.app import make_server_app


def run(size: Size, say: Say) -> Iterator[Row]:
    """Bytes of the card, and of the page, plain and compressed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lami-bench-")))
        azure = stack.enter_context(small_azure())
        populate(azure)
        settings = settings_for(azure.do(addresses), folder, tells=True)
        lami = stack.enter_context(lami_on(settings, SqliteTable(settings.sqlite_path)))
        take_baseline_if_none(lami)
        say("an app is recreated")
        app = azure.do(put_app, "claims-intake")
        lami.service.receive(event(APP, "write", azure.do(recreate, app.id)))
        card = json.dumps(azure.do(newest_card).body, ensure_ascii=False, separators=(",", ":")).encode()
        yield Row("sizes", "the card of a redeploy", len(card), "bytes", aims=(at_most(MAX_BODY),))
        page = make_server_app(lambda: lami).test_client().get("/", base_url="http://localhost")
        if page.status_code != 200:
            raise NotMeasured(f"the page was answered {page.status_code}")
        yield Row("sizes", "the page", len(page.data), "bytes")
        yield Row("sizes", "the page, compressed by gzip", len(gzip.compress(page.data)), "bytes")
