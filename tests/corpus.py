"""Where the shared corpus of real and specified payloads lies, if it does: tests marked `corpus` read it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def corpus_path() -> Path:
    """The corpus folder: `LAMI_CORPUS`, else `shared/corpus` beside the checkout; skips without one."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    path = Path(os.environ.get("LAMI_CORPUS") or beside)
    if not path.is_dir():
        pytest.skip(f"no corpus at {path}: set LAMI_CORPUS to read it")
    return path


def corpus_object(name: str) -> dict[str, Any]:
    """One file of the corpus, which is a JSON object."""
    value = _read(name)
    assert isinstance(value, dict)
    return value


def corpus_list(name: str) -> list[dict[str, Any]]:
    """One file of the corpus, which is a JSON array of objects."""
    value = _read(name)
    assert isinstance(value, list)
    return value


def _read(name: str) -> object:
    return json.loads((corpus_path() / name).read_text(encoding="utf-8"))
