"""The losses, pure: tensors in, one value a pair out.

`p` is the probability that the chosen response really is the better one, a tie counted half: the consensus
posterior of people's judgments. With p = 1 everywhere these are the usual losses.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812 (torch's own convention)
from torch import Tensor


def soft_cross_entropy(logits: Tensor, p: Tensor) -> Tensor:
    """-(p log s(x) + (1 - p) log s(-x)) a pair, s the logistic function; lowest where s(x) = p. Shapes [pairs]."""
    return -(p * F.logsigmoid(logits) + (1 - p) * F.logsigmoid(-logits))


def soft_dpo(chosen_ratio: Tensor, rejected_ratio: Tensor, p: Tensor, beta: float) -> Tensor:
    """DPO (Rafailov et al. 2023, eq. 7) with p as the label, as in cDPO (Mitchell 2023) but p of each pair. Nats.

    `chosen_ratio` and `rejected_ratio` are log policy - log reference of the whole response (or of a token, for
    the length-normalised variant), shapes [pairs].
    """
    return soft_cross_entropy(beta * (chosen_ratio - rejected_ratio), p)


def bradley_terry(chosen_reward: Tensor, rejected_reward: Tensor, p: Tensor) -> Tensor:
    """Bradley-Terry on the posterior: a tie (p = 1/2) draws the two rewards together. Nats, shapes [pairs]."""
    return soft_cross_entropy(chosen_reward - rejected_reward, p)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of [pairs] by weight; 0 where all weights are 0 (a batch that says nothing must not divide by 0)."""
    return (values * weights).sum() / weights.sum().clamp(min=1e-8)


def nll_per_token(log_probabilities: Tensor, lengths: Tensor) -> Tensor:
    """Negative log-likelihood a token: [pairs] of sums over the response, [pairs] of its token counts."""
    return -log_probabilities / lengths.clamp(min=1)


def confidence(p: Tensor) -> Tensor:
    """|2p - 1|: 1 where people are sure, 0 where they are split."""
    return (2 * p - 1).abs()
