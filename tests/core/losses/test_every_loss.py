"""What must hold for every registered loss, whatever it computes."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import torch

from labelnoise.core.losses import LOSSES, MULTILABEL_LOSSES, REGULARIZERS, get_loss
from labelnoise.core.validation import InputError


def select(extra: dict[str, Any], rows: torch.Tensor, n: int) -> dict[str, Any]:
    """The rows of what is given per unit."""
    return {k: v[rows] if isinstance(v, torch.Tensor) and len(v) == n else v for k, v in extra.items()}


def test_values_are_per_unit_finite_and_carry_a_gradient(case):
    logits, labels = case.draw(50)
    logits.requires_grad_()
    values = case(logits, labels, case.extra(50))
    assert values.shape == labels.shape
    assert values.isfinite().all()
    values.sum().backward()
    assert logits.grad.isfinite().all()
    assert (logits.grad.abs().sum(dim=1) > 0).float().mean() > 0.9


@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e30, -5.0])
def test_units_without_a_label_change_nothing(case, garbage):
    n = 40
    logits, labels = case.draw(n)
    extra = case.extra(n)
    masked = torch.rand(labels.shape, generator=torch.Generator().manual_seed(1)) < 0.4
    hidden = torch.where(masked, -1, labels)
    of_logits = masked if case.multilabel else masked[:, None].expand_as(logits)

    def run(filler: float) -> tuple[torch.Tensor, torch.Tensor]:
        z = logits.masked_fill(of_logits, filler).requires_grad_()
        poisoned = dict(extra)
        for key in ("noise_probs", "memory"):
            if key in poisoned:
                where = masked if poisoned[key].shape == masked.shape else masked[:, None]
                poisoned[key] = poisoned[key].masked_fill(where, filler)
        values = case(z, hidden, poisoned)
        values.sum().backward()
        return values.detach(), z.grad

    values, gradient = run(garbage)
    clean_values, clean_gradient = run(0.3)
    assert torch.equal(values, clean_values)
    assert torch.equal(gradient, clean_gradient)
    assert (values[masked] == 0).all()
    assert (gradient[of_logits] == 0).all()
    # The labelled ones are what they are without the others (a tag's neighbours matter in no loss).
    if not case.multilabel:
        alone = case(logits[~masked], labels[~masked], select(extra, ~masked, n))
        assert torch.allclose(values[~masked], alone, rtol=1e-12)
    else:
        full = case(logits, labels, extra)
        assert torch.allclose(values[~masked], full[~masked], rtol=1e-12)


def test_order_does_not_matter(case):
    n = 30
    logits, labels = case.draw(n)
    extra = case.extra(n)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(
        case(logits, labels, extra)[order],
        case(logits[order], labels[order], select(extra, order, n)),
        rtol=1e-12,
    )


def test_classes_can_be_renamed(single):
    """Permuting classes in logits, labels and T leaves the values."""
    case, n = single, 30
    logits, labels = case.draw(n)
    extra = case.extra(n)
    order = torch.tensor([2, 0, 3, 1])
    renamed = dict(extra)
    if "transition" in renamed:
        renamed["transition"] = renamed["transition"][order][:, order]
    if "memory" in renamed:
        renamed["memory"] = renamed["memory"][:, order]
    assert torch.allclose(
        case(logits, labels, extra), case(logits[:, order], order.argsort()[labels], renamed), rtol=1e-10
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_precision(case, dtype):
    logits, labels = case.draw(20, dtype=dtype)
    logits.requires_grad_()
    values = case(logits, labels, case.extra(20))
    assert values.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    values.sum().backward()
    assert logits.grad.dtype == dtype
    assert logits.grad.isfinite().all()
    exact = case(logits.detach().double(), labels, case.extra(20))
    assert torch.allclose(values.double(), exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("scale", [1e4, 30.0])
def test_extreme_logits(case, scale, dtype):
    signs = torch.tensor(
        [[1, 1, 1, 1], [1, -1, -1, -1], [-1, 1, 1, 1], [-1, -1, -1, -1], [0, 0, 0, 1], [0, 0, 0, -1]]
    )
    logits = (scale * signs).to(dtype).repeat_interleave(4, dim=0).requires_grad_()
    classes = torch.arange(4).repeat(6)
    labels = torch.nn.functional.one_hot(classes, 4) if case.multilabel else classes
    values = case(logits, labels, case.extra(24))
    assert values.isfinite().all()
    values.sum().backward()
    assert logits.grad.isfinite().all()


def test_zero_logits(case):
    logits = torch.zeros(4, 4, requires_grad=True)
    labels = torch.eye(4, dtype=torch.long) if case.multilabel else torch.arange(4)
    values = case(logits, labels, case.extra(4))
    values.sum().backward()
    assert values.isfinite().all()
    assert logits.grad.isfinite().all()


def test_empty_batch(case):
    logits = torch.zeros(0, 4, requires_grad=True)
    labels = torch.zeros(0, 4, dtype=torch.long) if case.multilabel else torch.zeros(0, dtype=torch.long)
    values = case(logits, labels, case.extra(0))
    assert values.shape == labels.shape
    values.sum().backward()
    assert logits.grad.shape == (0, 4)


def test_one_class(case):
    logits, labels = case.draw(6, k=1)
    logits.requires_grad_()
    values = case(logits, labels, case.extra(6, k=1))
    values.sum().backward()
    assert values.isfinite().all()
    assert logits.grad.isfinite().all()
    if not case.multilabel:
        if case.name != "elr":  # the memory has something to say of one class as well
            assert torch.allclose(values, torch.zeros(6, dtype=torch.float64), atol=1e-12)
        assert (logits.grad == 0).all()


def test_all_without_labels(case):
    logits, labels = case.draw(5)
    logits.requires_grad_()
    values = case(logits, torch.full_like(labels, -1), case.extra(5))
    values.sum().backward()
    assert (values == 0).all()
    assert (logits.grad == 0).all()


def test_gradient_agrees_with_finite_differences(differentiable):
    case, n = differentiable, 6
    logits, labels = case.draw(n, seed=11)
    labels[0] = -1
    extra = case.extra(n)
    assert torch.autograd.gradcheck(lambda z: case(z, labels, extra), (logits.requires_grad_(),))


def test_soft_targets_are_the_expectation_over_labels(case):
    n, k = 12, 4
    logits, _ = case.draw(n)
    extra = case.extra(n)
    rng = torch.Generator().manual_seed(5)
    if case.multilabel:
        soft = torch.rand(n, k, generator=rng, dtype=torch.float64)
        ones, zeros = (case(logits, torch.full((n, k), b), extra) for b in (1, 0))
        expected = soft * ones + (1 - soft) * zeros
    else:
        soft = torch.softmax(torch.randn(n, k, generator=rng, dtype=torch.float64), dim=1)
        each = torch.stack([case(logits, torch.full((n,), j), extra) for j in range(k)], dim=1)
        expected = (soft * each).sum(dim=1)
    assert torch.allclose(case(logits, soft, extra), expected, rtol=1e-9)
    soft[3] = -1
    assert torch.equal(case(logits, soft, extra)[3], torch.zeros_like(expected[3]))


def test_one_hot_targets_are_labels(single):
    logits, labels = single.draw(12)
    extra = single.extra(12)
    one_hot = torch.nn.functional.one_hot(labels, 4)
    assert torch.allclose(single(logits, one_hot, extra), single(logits, labels, extra), rtol=1e-12)


def test_autocast_does_not_round(case):
    """A training step in mixed precision computes the loss as without."""
    logits, labels = case.draw(30, dtype=torch.float32)
    extra = case.extra(30)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = case(logits, labels, extra)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, case(logits, labels, extra))


def test_inputs_are_left_alone(case):
    logits, labels = case.draw(8)
    labels[2] = -1
    before = logits.clone(), labels.clone()
    case(logits, labels, case.extra(8))
    assert torch.equal(logits, before[0])
    assert torch.equal(labels, before[1])


def test_numpy_and_lists_are_labels_too(case):
    logits, labels = case.draw(8)
    extra = case.extra(8)
    expected = case(logits, labels, extra)
    assert torch.equal(case(logits, labels.numpy().astype("int32"), extra), expected)
    assert torch.equal(case(logits, labels.tolist(), extra), expected)


@pytest.mark.parametrize(
    ("logits", "labels", "multilabel", "says"),
    [
        ([[0.0, 1.0]], [0], False, "torch tensor of floats"),
        (torch.zeros(2, 3, dtype=torch.long), [0, 1], False, "torch tensor of floats"),
        (torch.zeros(2, 3, 4), [0, 1], False, "flatten the units"),
        (torch.zeros(2, 0), [-1, -1], False, "at least one class"),
        (torch.zeros(2, 3), [0, 3], False, "holds 3 but there are 3 classes"),
        (torch.zeros(2, 3), [0, -100], False, "holds -100"),
        (torch.zeros(2, 3), [0, 1, 2], False, "logits 2, labels 3"),
        (torch.zeros(2, 3), torch.tensor([0.0, 1.0]), False, "class ids are whole numbers"),
        (torch.zeros(2, 3), torch.zeros(2, 2), False, "class distributions"),
        (torch.zeros(2, 3), torch.tensor([[1, 0, 0], [1, 1, 0]]), False, "row 1 sums to 2"),
        (torch.zeros(2, 3), torch.tensor([[1, 0, 0], [-1.0, 1, 1]]), False, "multilabel=True"),
        (torch.zeros(2, 3), torch.full((2, 3), float("nan")), False, "sum to 1"),
        (torch.zeros(2, 3), [0, 1], True, "one target per unit and class"),
        (torch.zeros(2, 3), torch.full((2, 3), 2), True, "from 2 to 2"),
        (torch.zeros(2, 3), torch.full((2, 3), float("nan")), True, "nan"),
    ],
)
def test_wrong_input_is_refused_in_one_sentence(logits, labels, multilabel, says):
    with pytest.raises(InputError, match=says):
        get_loss("ce", multilabel=multilabel)(logits, labels)


def test_registered_losses_are_cited_and_shown():
    """The meta-test: a name that can be chosen has a source, a formula, its limits and an example that runs."""
    for registry in (LOSSES, MULTILABEL_LOSSES, REGULARIZERS):
        for name, entry in registry.items():
            for part in (entry.summary, entry.formula, entry.helps, entry.hurts):
                assert len(part) > 5, (name, part)
            assert entry.summary.endswith("."), name
            assert name == "ce" or any(f"({year})" in entry.source for year in range(1990, 2030)), name
            text = entry.load().__doc__
            for section in ("Parameters", "Returns", "Raises", "References", "Examples", ">>> "):
                assert section in text, (name, section)


def test_every_entry_says_what_was_measured():
    """A percentage of accuracy or average precision where a loss helps or where it hurts, and no promise of one."""
    for registry in (LOSSES, MULTILABEL_LOSSES, REGULARIZERS):
        for name, entry in registry.items():
            says = f"{entry.helps} {entry.hurts}"
            assert re.search(r"\d\d\.\d%", says), name
            assert "not measured" not in says.lower(), name


def test_get_loss_refuses_what_it_does_not_know():
    with pytest.raises(InputError, match="Did you mean 'gce'"):
        get_loss("gcee")
    with pytest.raises(InputError, match="Unknown multi-label loss 'elr'"):
        get_loss("elr", multilabel=True)
    with pytest.raises(InputError, match="no parameter 'q'"):
        get_loss("ce", q=0.5)
    with pytest.raises(InputError, match="no parameter 'passive'"):
        get_loss("nce_mae", passive="rce")
    with pytest.raises(InputError, match="needs the parameter 'transition'"):
        get_loss("forward")


def test_the_registry_loads_without_torch():
    code = (
        "import sys, labelnoise.core.losses as losses; list(losses.LOSSES); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
