"""The measures of a cell and how reports use them."""

from __future__ import annotations

from collections.abc import Mapping

from labelnoise.core.evaluation import METRICS, MetricInfo

__all__ = ["BENCH_METRICS", "DETECT", "HEADLINE", "LEVEL", "MEASURES", "TASKS", "TRAIN", "TRAINING_METRICS"]

#: What a cell asks for: which labels are wrong, or a model in spite of them.
DETECT, TRAIN = TASKS = ("detect", "train")

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

#: Measures of a trained model, on units that it was not trained on and whose true label is known.
TRAINING_METRICS: Mapping[str, MetricInfo] = {
    "score": MetricInfo(
        "Score",
        "high",
        "The modality's own measure on true test labels: accuracy, F1 of entities, lwlrap of tags, mean IoU.",
    ),
    "accuracy": MetricInfo("Accuracy", "high", "Share of test units whose true class is predicted."),
    "gain": MetricInfo("Gain", "high", "Score minus the score of plain training with the same seed."),
}

#: All measures of each task.
MEASURES: Mapping[str, Mapping[str, MetricInfo]] = {DETECT: BENCH_METRICS, TRAIN: TRAINING_METRICS}

#: The measures in which methods are ranked and their losses listed; the first one orders them.
HEADLINE: Mapping[str, tuple[str, ...]] = {DETECT: ("auroc", "f1"), TRAIN: ("score",)}
