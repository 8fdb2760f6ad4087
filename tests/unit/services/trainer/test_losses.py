from __future__ import annotations

import math

import pytest
import torch

from services.trainer.losses import bradley_terry, confidence, nll_per_token, soft_dpo, weighted_mean


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_soft_dpo_by_hand() -> None:
    # beta 0.5, log-ratios 2 and -1: x = 0.5 * 3 = 1.5; -(0.9 log s(1.5) + 0.1 log s(-1.5)) = 0.351413...
    loss = soft_dpo(torch.tensor([2.0]), torch.tensor([-1.0]), torch.tensor([0.9]), beta=0.5)

    assert loss.item() == pytest.approx(-(0.9 * math.log(sigmoid(1.5)) + 0.1 * math.log(sigmoid(-1.5))), rel=1e-6)
    assert loss.item() == pytest.approx(0.3514133, abs=1e-6)


def test_with_p_one_it_is_the_usual_loss() -> None:
    loss = soft_dpo(torch.tensor([2.0]), torch.tensor([-1.0]), torch.tensor([1.0]), beta=0.5)

    assert loss.item() == pytest.approx(-math.log(sigmoid(1.5)), rel=1e-6)


def test_exchanging_the_sides_and_p_changes_nothing() -> None:
    chosen, rejected, p = torch.tensor([0.3, -2.0]), torch.tensor([1.1, 0.4]), torch.tensor([0.7, 0.2])

    torch.testing.assert_close(soft_dpo(chosen, rejected, p, 0.1), soft_dpo(rejected, chosen, 1 - p, 0.1))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.93])
def test_the_loss_is_lowest_where_the_policy_says_p(p: float) -> None:
    ratio = torch.zeros(1, requires_grad=True)
    at_start = torch.autograd.grad(soft_dpo(ratio, torch.zeros(1), torch.tensor([p]), 1.0).sum(), ratio)[0]
    best = torch.full((1,), math.log(p / (1 - p)), requires_grad=True)
    at_best = torch.autograd.grad(soft_dpo(best, torch.zeros(1), torch.tensor([p]), 1.0).sum(), best)[0]

    assert at_start.item() == pytest.approx(0.5 - p, abs=1e-6)  # people who are split move nothing
    assert at_best.item() == pytest.approx(0.0, abs=1e-6)


def test_a_tie_draws_two_rewards_together() -> None:
    chosen = torch.tensor([3.0], requires_grad=True)
    rejected = torch.tensor([1.0], requires_grad=True)
    bradley_terry(chosen, rejected, torch.tensor([0.5])).sum().backward()  # type: ignore[no-untyped-call]

    assert chosen.grad is not None
    assert rejected.grad is not None
    assert chosen.grad.item() > 0 > rejected.grad.item()  # descending lowers the higher one, raises the lower one


def test_the_mean_goes_by_weight_and_survives_no_weight_at_all() -> None:
    values = torch.tensor([1.0, 5.0])

    assert weighted_mean(values, torch.tensor([3.0, 1.0])).item() == pytest.approx(2.0)
    assert weighted_mean(values, torch.zeros(2)).item() == 0.0


def test_nll_is_a_mean_over_tokens() -> None:
    values = nll_per_token(torch.tensor([-6.0, 0.0]), torch.tensor([3, 0]))

    assert values.tolist() == [2.0, 0.0]


def test_confidence_is_nothing_where_people_are_split() -> None:
    torch.testing.assert_close(confidence(torch.tensor([0.0, 0.5, 0.75, 1.0])), torch.tensor([1.0, 0.0, 0.5, 1.0]))
