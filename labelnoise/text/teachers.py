"""Teachers and students for tags of which many are missing: BOND and SCDL on the linear tagger."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.stepping import Learner, one_pass, predicted, sharpened, step_features
from labelnoise.text.tagger_run import TaggerRun

__all__ = ["kept_by_teacher", "moved_average", "train_bond", "train_scdl"]

#: Surer than this a teacher must be (Liang et al. 2020).
CONFIDENT = 0.9


def train_bond(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    epochs: int = 5,
    early: int = 1,
    renewed: int = 1,
    confident: float = CONFIDENT,
) -> Trained:
    """A teacher that stops early; a student that goes on from it with the teacher's sharpened answers.

    Parameters
    ----------
    dataset, seed, encoder, features
        See `labelnoise.text.train_methods.train_plain`.
    epochs : int
        Passes of the student over the tokens, >= 1.
    early : int
        Passes of the first teacher over the given tags, >= 1.
    renewed : int
        After so many passes the student takes the teacher's place, >= 1.
    confident : float
        Only tokens whose largest sharpened probability exceeds this teach; 0 to less than 1.

    Returns
    -------
    Trained
        ``history`` says how many tokens taught in each pass.

    Raises
    ------
    InputError
        No tag in the training split, unreadable features, numbers out of range.

    Notes
    -----
    Liang et al. 2020, BOND, KDD: ``q[k] ~ p[k]^2 / f[k]``, loss on tokens with max q > .9. The class's mass f is taken
    over all training tokens, not over a batch with its padding. `train_self` differs: it fits anew in each
    round, and its first fit is not stopped early.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> result = train_bond(news(n_sentences=60), epochs=2)
    >>> [sorted(entry) for entry in result.history]
    [['epoch', 'taught'], ['epoch', 'taught']]
    """
    if early < 1 or renewed < 1 or not 0.0 <= confident < 1.0:
        raise InputError(
            f"early is {early}, renewed is {renewed} and confident is {confident}; give 1 or more, 1 or more and a "
            "probability below 1."
        )
    run = TaggerRun(dataset, seed, encoder, features, epochs)
    rows = np.flatnonzero(run.has)
    student = Learner(step_features(run.tagger), run.targets.shape[1], seed)
    for epoch in range(early):
        _learn(student, rows, run.targets, generator(seed, "order of tokens", "teacher", epoch))
    history: list[dict[str, Any]] = []
    aims = np.zeros(run.targets.shape)
    for epoch in track(range(epochs), "passes of the student"):
        if epoch % renewed == 0:
            probs = student.predict()
            aims = sharpened(probs, probs[rows].sum(axis=0))
        taught = rows[aims[rows].max(axis=1) > confident]
        history.append({"epoch": epoch, "taught": len(taught)})
        _learn(student, taught, aims, generator(seed, "order of tokens", epoch))
    return run.result("bond", student.predict(), history=tuple(history), early=early)


def train_scdl(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    epochs: int = 6,
    renewed: int = 2,
    confident: float = CONFIDENT,
    decay: float = 0.995,
    masked: float = 0.2,
    hide: float = 0.2,
) -> Trained:
    """Two pairs of teacher and student: a token teaches where its teacher is sure of the other pair's tag.

    Parameters
    ----------
    dataset, seed, encoder, features
        See `labelnoise.text.train_methods.train_plain`.
    epochs : int
        Passes, of which the first is on the given tags alone; >= 1.
    renewed : int
        After so many passes the pseudo-tags of each pair become what the other pair's teacher says, >= 1.
    confident : float
        Only tokens whose largest sharpened probability exceeds this teach; 0 to less than 1.
    decay : float
        Share of a teacher's weights that stays in a step, 0 to less than 1.
    masked : float
        Share of the tokens without entity that each student leaves out in the first pass, drawn for each.
    hide : float
        Share of the columns that each pair does not see, drawn for each: the paper's pairs have two encoders.

    Returns
    -------
    Trained
        The mean of the teachers. ``history`` says how many tokens taught each student.

    Raises
    ------
    InputError
        No tag in the training split, unreadable features, numbers out of range.

    Notes
    -----
    Zhang et al. 2021, Improving distantly-supervised named entity recognition with self-collaborative denoising
    learning, EMNLP. Pseudo-tags start as the given ones. A teacher is the moving average of its student; here it is
    asked once a pass, there in every step. The paper takes the best of the four models by a development set.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> train_scdl(news(n_sentences=60), epochs=2).method
    'scdl'
    """
    if renewed < 1 or not 0.0 <= confident < 1.0 or not 0.0 <= decay < 1.0:
        raise InputError(
            f"renewed is {renewed}, confident is {confident} and decay is {decay}; give 1 or more, and two numbers "
            "from 0 to less than 1."
        )
    if not (0.0 <= masked < 1.0 and 0.0 <= hide < 1.0):
        raise InputError(f"masked is {masked} and hide is {hide}; give shares from 0 to less than 1.")
    run = TaggerRun(dataset, seed, encoder, features, epochs)
    rows, given = np.flatnonzero(run.has), np.asarray(run.seen.given)
    base, k = step_features(run.tagger), run.targets.shape[1]
    students = [Learner(base, k, seed * 1000 + pair, hide=hide, spread=0.01) for pair in (0, 1)]
    for pair, student in enumerate(students):
        draw = generator(seed, "first pass", pair)
        seen = rows[(given[rows] > 0) | (draw.random(len(rows)) >= masked)]
        _learn(student, seen, run.targets, draw)
    teachers = [(s.model.weights.copy(), s.model.bias.copy()) for s in students]
    pseudo = [given.copy(), given.copy()]
    history: list[dict[str, Any]] = [{"epoch": 0, "taught": [len(rows), len(rows)]}]
    for epoch in track(range(1, epochs), "passes of the students"):
        answers = [predicted(s.features, *t) for s, t in zip(students, teachers)]
        if (epoch - 1) % renewed == 0 and epoch > 1:
            pseudo = [answers[1].argmax(axis=1), answers[0].argmax(axis=1)]
        counts = []
        for pair, student in enumerate(students):
            aims = sharpened(answers[pair], answers[pair][rows].sum(axis=0))
            taught = rows[kept_by_teacher(aims, pseudo[pair], confident)[rows]]
            counts.append(len(taught))
            draw = generator(seed, "order of tokens", epoch, pair)
            for _ in one_pass([student], taught, draw, _towards(aims)):
                moved_average(teachers[pair], (student.model.weights, student.model.bias), decay)
        history.append({"epoch": epoch, "taught": counts})
    probs = np.mean([predicted(s.features, *t) for s, t in zip(students, teachers)], axis=0)
    changed = int((pseudo[0][rows] != given[rows]).sum())
    return run.result("scdl", probs, history=tuple(history), pseudo_tags_changed=changed)


def kept_by_teacher(
    aims: NDArray[Any], pseudo: NDArray[np.int64], confident: float = CONFIDENT
) -> NDArray[np.bool_]:
    """Tokens whose teacher is sure, and of the pseudo-tag.

    Examples
    --------
    >>> kept_by_teacher(np.array([[0.95, 0.05], [0.95, 0.05], [0.6, 0.4]]), np.array([0, 1, 0]))
    array([ True, False, False])
    """
    return np.asarray((aims.argmax(axis=1) == pseudo) & (aims.max(axis=1) > confident))


def moved_average(
    teacher: tuple[NDArray[Any], NDArray[Any]], student: tuple[NDArray[Any], NDArray[Any]], decay: float
) -> None:
    """In place: ``teacher = decay teacher + (1 - decay) student``, weights and bias.

    Examples
    --------
    >>> weights, bias = np.zeros((1, 1)), np.ones(1)
    >>> moved_average((weights, bias), (np.ones((1, 1)), np.ones(1)), 0.75)
    >>> float(weights[0, 0]), float(bias[0])
    (0.25, 1.0)
    """
    for mine, theirs in zip(teacher, student):
        mine *= decay
        mine += (1.0 - decay) * theirs


def _towards(aims: NDArray[Any]) -> Any:
    def slopes(batch: NDArray[np.int64], probs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [p - aims[batch].astype(np.float32) for p in probs]

    return slopes


def _learn(learner: Learner, rows: NDArray[np.int64], aims: NDArray[Any], draw: np.random.Generator) -> None:
    for _ in one_pass([learner], rows, draw, _towards(aims)):
        pass
