"""Numbers are computed from stored predictions, again and again if need be, never by running a model twice."""

from __future__ import annotations

import pytest

from dashboard.datasets.digits import Digits
from dashboard.evaluation import Settings, evaluate
from dashboard.finishing import out_of_date
from dashboard.selection import select
from dashboard.store import Store
from models.load import load_model


def test_a_new_metric_is_computed_from_stored_predictions(tmp_path, monkeypatch):
    """A run whose numbers are out of date is computed anew without its model, keeping id and date; its rows too."""
    store = Store(tmp_path / "store")
    adapter, dataset = load_model("digits_linear"), Digits()
    before = evaluate(adapter, dataset, store, Settings(latency=False))
    assert not out_of_date(before)
    monkeypatch.setattr("dashboard.metrics.VERSION", 2)
    assert out_of_date(before)
    monkeypatch.setattr(adapter, "forward", lambda items: pytest.fail("the model ran"))
    after = evaluate(adapter, dataset, store, Settings(latency=False))
    assert not out_of_date(after)
    assert (after.id, after.created_at, after.metrics) == (before.id, before.created_at, before.metrics)
    assert after.timing == before.timing
    assert len(select(after)) == len(dataset)
    assert not list((tmp_path / "store" / "unfinished").glob("*"))
