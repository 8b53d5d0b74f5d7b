"""The measures of a cell and how reports use them."""

from __future__ import annotations

from collections.abc import Mapping

from labelnoise.core.evaluation import METRICS, MetricInfo

__all__ = ["BENCH_METRICS", "HEADLINE", "LEVEL"]

#: Coverage of every interval; 1 - LEVEL is the error rate of every test.
LEVEL = 0.95

#: Measures of a cell: those of `labelnoise.core.evaluation.METRICS` and two that need more than one array.
BENCH_METRICS: Mapping[str, MetricInfo] = {
    **METRICS,
    "suggestion_accuracy": MetricInfo(
        "Suggestion",
        "high",
        "Share of the wrong labels, flagged or not, whose suggested label is the true one.",
    ),
    "transition_error": MetricInfo(
        "T error",
        "low",
        "Total variation between estimated and realised T, mean over the units' true classes.",
    ),
}

#: The measures in which methods are ranked and their losses listed.
HEADLINE = ("auroc", "f1")
