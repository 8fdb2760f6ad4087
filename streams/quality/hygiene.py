"""Which gold is offered: what was seen too often or got around is retired, and what is in use takes turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from streams.events import GoldPolicy
from streams.quality.leaks import NO_LEAK, Leak

TURN = 10  # exposures an item in use may be ahead of the one that has waited longest, before they change places


@dataclass(frozen=True, kw_only=True)
class Item:
    """One gold task: whether it is offered, how many annotators were given it, and the evidence that it got around."""

    task: str
    offered: bool
    exposures: int
    leak: Leak = NO_LEAK


@dataclass(frozen=True, kw_only=True)
class Change:
    """An item that is to be offered, or not any more, and why."""

    task: str
    status: Literal["open", "closed"]
    reason: str


def unfit(item: Item, policy: GoldPolicy) -> str:
    """Why the item must not be offered any more; "" where it may."""
    if policy.leak_rate is not None and item.leak.found(policy.leak_rate):
        how = "always right" if item.leak.right >= item.leak.fast else "answered much faster"
        return f"retired: it seems to have got around, it is suddenly {how} (false-alarm rate {policy.leak_rate:g})"
    if policy.exposure_cap is not None and item.exposures >= policy.exposure_cap:
        return f"retired: seen by {item.exposures} of at most {policy.exposure_cap} annotators"
    return ""


def plan(items: Sequence[Item], policy: GoldPolicy) -> list[Change]:
    """What has to change so that the policy holds; nothing where it does. The same items give the same plan."""
    reasons = {item.task: unfit(item, policy) for item in items}
    fit = [item for item in items if not reasons[item.task]]
    wanted = {item.task for item in chosen(fit, policy.in_use)}
    changes = []
    for item in items:
        if item.offered and item.task not in wanted:
            reason = reasons[item.task] or "rests: others that were seen less take its turn"
            changes.append(Change(task=item.task, status="closed", reason=reason))
        elif item.task in wanted and not item.offered:
            changes.append(Change(task=item.task, status="open", reason="in use again"))
    return changes


def chosen(fit: Sequence[Item], in_use: int | None) -> Sequence[Item]:
    """The items to offer: those in use stay until others were seen far less; the least seen come first."""
    if in_use is None:
        return fit
    return sorted(fit, key=lambda item: (item.exposures - TURN * item.offered, not item.offered, item.task))[:in_use]
