"""Where the shared corpus of real and specified payloads lies, if it does: tests marked `corpus` read it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


def corpus_path() -> Path:
    """The corpus folder: `LAMI_CORPUS`, else `shared/corpus` beside the checkout; skips without one."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    path = Path(os.environ.get("LAMI_CORPUS") or beside)
    if not path.is_dir():
        pytest.skip(f"no corpus at {path}: set LAMI_CORPUS to read it")
    return path


def corpus_json(name: str) -> object:
    """One file of the corpus, as JSON."""
    value: object = json.loads((corpus_path() / name).read_text(encoding="utf-8"))
    return value
