"""How far estimators of T are off, and how often their errors hold the truth, on classes whose T is known.

python experiments/core_transition.py [--seeds 0,1,2,3,4,5] [--units 4000] [--distances 4.2,7.1]

Three Gaussian classes in three dimensions with that distance between centres, prior .5 .3 .2, 24% wrong labels;
out-of-fold probabilities of three classifiers. The truth is used to score the answers only.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from labelnoise.core.crossval import out_of_fold
from labelnoise.core.transition_estimators import TRANSITIONS

PRIOR = np.array([0.5, 0.3, 0.2])
T = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.0, 0.25, 0.75]])
MODELS = {
    "logistic": LogisticRegression(max_iter=200),
    "neighbours": KNeighborsClassifier(50),
    "boosting": HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=8),
}
NAMES = ("anchors", "anchors-quantile", "anchors-top", "dual", "confident")


def sample(n: int, distance: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.choice(3, n, p=PRIOR)
    features = distance / np.sqrt(2) * np.eye(3)[true] + rng.normal(size=(n, 3))
    given = (rng.random(n)[:, None] >= np.cumsum(T, axis=1)[true][:, :-1]).sum(axis=1)
    return features, given


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="0,1,2,3,4,5")
    parser.add_argument("--units", type=int, default=4000)
    parser.add_argument("--distances", default="4.2,7.1")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    print("distance model      estimator         off    ± (95%)  too noisy  mean error  held  CPU-ms")
    for distance in map(float, options.distances.split(",")):
        for model, classifier in MODELS.items():
            rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in NAMES}
            for seed in seeds:
                features, given = sample(options.units, distance, seed)
                probs = out_of_fold(classifier, features, given, seed=seed, n_classes=3)
                for name in NAMES:
                    entry = TRANSITIONS[name]
                    start = time.process_time()
                    estimate = entry.load()(given, probs, **entry.options)
                    cost = time.process_time() - start
                    off = estimate.matrix - T
                    held = np.abs(off) <= 1.96 * estimate.standard_error
                    rows[name].append(
                        (
                            np.abs(off).mean(),
                            -np.diag(off).mean(),
                            estimate.standard_error.mean(),
                            held.mean(),
                            cost,
                        )
                    )
            for name in NAMES:
                off, noisy, error, held, cost = np.mean(rows[name], axis=0)
                spread = 1.96 * np.std([row[0] for row in rows[name]], ddof=1) / np.sqrt(len(seeds))
                print(
                    f"{distance:<8} {model:<10} {name:<17} {off:.3f}  ±{spread:.3f}   {noisy:+.3f}     {error:.3f}"
                    f"       {held:.2f}  {1000 * cost:.0f}"
                )


if __name__ == "__main__":
    main()
