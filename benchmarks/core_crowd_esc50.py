"""Every registered crowd method on the human judgements of ESC-50: accuracy, calibration, likelihood, CPU seconds.

    LABELNOISE_DATA=... python benchmarks/core_crowd_esc50.py
    LABELNOISE_DATA=... python benchmarks/core_crowd_esc50.py --methods consensus glad

Run it where the package can be imported (installed, or PYTHONPATH set to the repository), with one thread
(OMP_NUM_THREADS=1). The data: 3,939 judgements of 2,000 clips by 134 workers, 50 classes, most clips judged twice;
two judgements that repeat one of the same worker on the same clip are dropped. ECE has ten bins of equal mass, NLL is
-log of the posterior of the truth, floored at 1e-12. The last column is the gain in accuracy of ``consensus``, with a
paired bootstrap interval over clips. The settings of ``consensus`` were chosen on these very clips, so its interval
is optimistic.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labelnoise.core.crowd import CROWD, Votes
from labelnoise.core.evaluation import bootstrap_interval, detection_metrics

BASE = "consensus"


def load(data: Path) -> tuple[Votes, NDArray[np.int64]]:
    """Votes and truth, clips in the order of their names."""
    table = pd.read_csv(data / "audio" / "esc50_crowd" / "annotations.csv")
    table = table.drop_duplicates(["recording", "worker_id"])
    classes = sorted(table["truth"].unique())
    votes = Votes.from_frame(
        table, unit="recording", annotator="worker_id", label="prediction", classes=classes
    )
    truth = table.groupby("recording")["truth"].first().reindex(list(votes.unit_names))
    return votes, truth.map({name: i for i, name in enumerate(classes)}).to_numpy(dtype=np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="*", default=list(CROWD), choices=list(CROWD), metavar="NAME")
    names = parser.parse_args().methods
    if "LABELNOISE_DATA" not in os.environ:
        parser.error("set LABELNOISE_DATA to the folder with real data")
    votes, truth = load(Path(os.environ["LABELNOISE_DATA"]))
    n = len(truth)
    right: dict[str, NDArray[np.bool_]] = {}
    rows: dict[str, str] = {}
    for name in dict.fromkeys([*names, BASE]):
        began = time.process_time()
        result = CROWD[name].load()(votes, **CROWD[name].options)
        seconds = time.process_time() - began
        right[name] = result.labels == truth
        p_wrong = np.clip(1 - result.posterior.max(1), 0, 1)
        ece = detection_metrics(~right[name], p_wrong, p_wrong=p_wrong)["ece"]
        nll = float(-np.log(np.maximum(result.posterior[np.arange(n), truth], 1e-12)).mean())
        done = f"{result.iterations}{'' if result.converged else ' (cut)'}"
        rows[name] = f"| {name} | {right[name].mean():.4f} | {ece:.4f} | {nll:.3f} | {seconds:.2f} | {done} |"
    print(f"{n} clips, {len(votes)} votes, {votes.n_annotators} annotators, {votes.n_classes} classes\n")
    print(f"| method | accuracy | ECE | NLL | CPU s | rounds | {BASE} - method, 95% |")
    print("|---|---|---|---|---|---|---|")
    for name, row in rows.items():
        gain = bootstrap_interval(right[BASE].astype(float) - right[name])
        shown = "" if name == BASE else f"{gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
        print(f"{row} {shown} |")


if __name__ == "__main__":
    main()
