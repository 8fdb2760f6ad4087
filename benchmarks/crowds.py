"""What quality costs: judgments a pair that a campaign buys from a crowd of which nothing is known. Prints tables.

    python -m benchmarks.crowds [--seeds 3] [--first 0] [--pairs 5000]

The crowd: 60 annotators; of the honest, accuracies are Beta with mean 0.78 and concentration 12; 10 % answer at random,
5 % always take the left one, 5 % turn against the truth after 40 % of the judgments; how much each works is lognormal.
No gold. The campaigns run in memory, on the service's own queue and steps.
"""

from __future__ import annotations

import argparse
import math
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import mean, stdev

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.steps import Run, judgment_of, task_of
from services.simulation.campaign import InMemoryCampaign
from streams.events import Campaign, Choice, Rule, Targets
from streams.quality.calibration import calibration_error
from streams.quality.consensus import HARD, Posterior, verdict
from streams.quality.labelled import Labelled
from streams.quality.refinement import Judged, Model, expect, maximise, refine

PEOPLE = 60
BEGIN = 1_790_000_000_000  # ms
BETWEEN_MS = 4_000  # from one request to the next
GIVEN_UP = 3_000  # requests in a row without a task: the campaign is done
HONEST_ENOUGH = 0.65
TURNED = 0.4  # of the judgments, before the adversaries turn


class Crowd:
    """People and the truth of the pairs. `sd` is the spread of the pairs' difficulty on the log-odds."""

    def __init__(self, seed: int, pairs: int, sd: float, judgments: float) -> None:
        draw = self.draw = random.Random(seed)
        bad = ["random"] * (PEOPLE // 10) + ["left"] * (PEOPLE // 20) + ["adversary"] * (PEOPLE // 20)
        self.kind = [*bad, *["honest"] * (PEOPLE - len(bad))]
        draw.shuffle(self.kind)
        self.accuracy = [draw.betavariate(0.78 * 12, 0.22 * 12) for _ in self.kind]
        self.activity = list(accumulate(draw.lognormvariate(0.0, 1.0) for _ in self.kind))  # cumulative
        self.truth: list[Choice] = [draw.choice(("a", "b")) for _ in range(pairs)]
        self.ease = [draw.gauss(0.0, sd) for _ in range(pairs)]
        self.judgments_expected, self.given = judgments * pairs, 0

    def somebody(self) -> int:
        """Who asks next."""
        return self.draw.choices(range(len(self.kind)), cum_weights=self.activity)[0]

    def answer(self, who: int, pair: int, swapped: bool) -> Choice:
        """What they say; `swapped`: b stands on the left."""
        self.given += 1
        kind, truth = self.kind[who], self.truth[pair]
        if kind == "random":
            return self.draw.choice(("a", "b"))
        if kind == "left":
            return "b" if swapped else "a"
        knows = math.log(self.accuracy[who] / (1 - self.accuracy[who])) + self.ease[pair]
        right = self.draw.random() < 1 / (1 + math.exp(-knows))
        if kind == "adversary" and self.given > TURNED * self.judgments_expected:
            right = not right
        return truth if right else ("b" if truth == "a" else "a")

    def honest(self) -> list[str]:
        """Those who must not be suspended."""
        return [str(n) for n, a in enumerate(self.accuracy) if self.kind[n] == "honest" and a >= HONEST_ENOUGH]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of one campaign: shares of all pairs that are right, and calibration errors, as decided and refined."""

    labels: float
    right: float
    refined: float
    calibration_error: float
    refined_error: float
    honest_suspended: float
    bad_suspended: float


def campaign(crowd: Crowd, targets: Targets, overlap: int) -> Outcome:
    """What comes of a campaign."""
    return outcome(crowd, *worked(crowd, targets, overlap))


def worked(crowd: Crowd, targets: Targets, overlap: int) -> tuple[InMemoryCampaign, list[Labelled]]:
    """People come and are given tasks until there is nothing left for anybody; the campaign, and what they said."""
    definition = Campaign(name="crowd", version=1, rules=(Rule(overlap=overlap),), targets=targets, gold_rate=0.0)
    run, said, idle, now = InMemoryCampaign(definition), [], 0, BEGIN
    for pair in range(len(crowd.truth)):
        run.add_pair(str(pair), at=BEGIN)
    while idle < GIVEN_UP:
        who, now = crowd.somebody(), now + BETWEEN_MS
        grant = run.next_task(str(who), now)
        idle = idle + 1 if grant is None else 0
        if grant is not None:
            choice = crowd.answer(who, int(grant.facts.correlation), grant.swapped)
            said.append(Labelled(item=grant.facts.correlation, annotator=str(who), choice=choice))
            run.judge(grant, choice, now + 1, shown_at=now - 40_000)
    return run, said


def outcome(crowd: Crowd, run: InMemoryCampaign, said: Sequence[Labelled]) -> Outcome:
    """Compares with the truth; a pair that has no verdict is not right."""
    truth = {str(pair): right for pair, right in enumerate(crowd.truth)}
    closed = run.closed()
    believed = [(max(one.posterior), one.verdict == truth[pair]) for pair, one in closed.items()]
    suspended, honest = run.suspended(), crowd.honest()
    bad = [str(n) for n, kind in enumerate(crowd.kind) if kind != "honest"]
    refined, refined_error = refined_right(crowd, said)
    return Outcome(
        labels=run.judgments / len(truth),
        right=sum(right for _, right in believed) / len(truth),
        refined=refined,
        calibration_error=calibration_error(believed),
        refined_error=refined_error,
        honest_suspended=sum(who in suspended for who in honest) / len(honest),
        bad_suspended=sum(who in suspended for who in bad) / len(bad),
    )


# ---------------------------------------------------------------- what batch methods need


def redundant(crowd: Crowd, each: int) -> Iterator[Labelled]:
    """The same number of judgments for every pair, by whoever comes."""
    for pair in range(len(crowd.truth)):
        who: dict[int, None] = {}
        while len(who) < each:
            who[crowd.somebody()] = None
        for one in who:
            swapped = crowd.draw.random() < 0.5
            choice = crowd.answer(one, pair, swapped)
            yield Labelled(item=str(pair), annotator=str(one), choice=choice, swapped=swapped)


def dawid_skene(crowd: Crowd, labels: Sequence[Labelled]) -> float:
    """The accuracy of crowd-kit's one-coin Dawid-Skene on these."""
    import pandas as pd
    from crowdkit.aggregation import OneCoinDawidSkene

    rows = [(one.item, one.annotator, one.choice) for one in labels]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = OneCoinDawidSkene(n_iter=30).fit_predict(pd.DataFrame(rows, columns=["task", "worker", "label"]))
    return share_right(crowd, dict(found))


def share_right(crowd: Crowd, found: Mapping[str, Choice]) -> float:
    """Of all pairs."""
    return sum(found.get(str(pair)) == right for pair, right in enumerate(crowd.truth)) / len(crowd.truth)


def online(labels: Sequence[Labelled]) -> dict[str, Posterior]:
    """The posteriors of the stages, which see each judgment once, in this order."""
    run, seen = Run(), set[str]()
    for one in labels:
        if one.item not in seen:
            run.push(task_of(one.item, mode="recorded"))
            seen.add(one.item)
        said = judgment_of(one.item, one.annotator, one.choice, mode="recorded", swapped=one.swapped)
        run.push(said)
    return {task: (each.p_a, each.p_b, each.p_tie) for task, each in run.preferences.items()}


def read_once(labels: Sequence[Labelled], online: Mapping[str, Posterior]) -> dict[str, Posterior]:
    """No second round: those posteriors teach what everybody was like at each time, and with that each pair is read."""
    judged = Judged(labels)
    model, belief = Model(judged, HARD), np.zeros((len(judged.items), 2, 3))
    belief[:, 0] = [online[item] for item in judged.items]
    maximise(model, judged, belief)
    found = expect(model, judged).sum(axis=1).tolist()
    return {item: (a, b, tie) for item, (a, b, tie) in zip(judged.items, found, strict=True)}


def verdicts(posteriors: Mapping[str, Posterior]) -> dict[str, Choice]:
    """The likeliest of each."""
    return {item: verdict(belief)[0] for item, belief in posteriors.items()}


def theirs(crowd: Crowd, each: int) -> float:
    """The accuracy of Dawid-Skene at that redundancy."""
    return dawid_skene(crowd, list(redundant(crowd, each)))


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """At a fixed redundancy: shares right, and the calibration error of the refinement."""

    dawid_skene: float
    online: float
    read_once: float
    refined: float
    refined_error: float


def batch(crowd: Crowd, each: int) -> Fixed:
    """All methods on the same judgments."""
    labels = list(redundant(crowd, each))
    posteriors = online(labels)
    refined, refined_error = refined_right(crowd, labels)
    return Fixed(
        dawid_skene=dawid_skene(crowd, labels),
        online=share_right(crowd, verdicts(posteriors)),
        read_once=share_right(crowd, verdicts(read_once(labels, posteriors))),
        refined=refined,
        refined_error=refined_error,
    )


def refined_right(crowd: Crowd, labels: Sequence[Labelled]) -> tuple[float, float]:
    """Accuracy and calibration error of refinement.py."""
    found = refine(labels).posteriors
    decided = verdicts(found)
    believed = [(max(belief), decided[item] == crowd.truth[int(item)]) for item, belief in found.items()]
    return share_right(crowd, decided), calibration_error(believed)


def labels_for(accuracy: float, curve: Sequence[tuple[int, float]]) -> float | None:
    """The labels at which a curve of (labels, accuracy) reaches that accuracy, between its points; None beyond."""
    for (fewer, low), (more, high) in pairwise(curve):
        if low <= accuracy <= high:
            return fewer + (more - fewer) * (accuracy - low) / max(high - low, 1e-9)
    return None


# ---------------------------------------------------------------- tables


def adaptive(seeds: Sequence[int], pairs: int, sd: float) -> Table:
    """Targets, and what Dawid-Skene would have needed for the same accuracy."""
    table = Table("target", "judgments a pair", "right", "refined", "ECE, refined", "honest out", "bad out", "of DS")
    table.title = "no difficulty" if not sd else f"difficulty normal on the log-odds, sd {sd:g}"
    curve = [(each, mean(theirs(Crowd(s, pairs, sd, each), each) for s in seeds)) for each in (3, 5, 7, 9, 12)]
    for target in (0.8, 0.85, 0.9, 0.95):
        targets = Targets(posterior=target, overlap_cap=12)
        found = [campaign(Crowd(seed, pairs, sd, 2.5), targets, 1) for seed in seeds]
        labels, right = mean(one.labels for one in found), mean(one.right for one in found)
        needed = labels_for(right, curve)
        table.add_row(
            f"{target:.2f}",
            f"{labels:.2f}",
            f"{right:.4f}",
            f"{mean(one.refined for one in found):.4f}",
            f"{mean(one.calibration_error for one in found):.3f}, {mean(one.refined_error for one in found):.3f}",
            f"{mean(one.honest_suspended for one in found):.1%}",
            f"{mean(one.bad_suspended for one in found):.0%}",
            f"{labels / needed:.2f}" if needed else "-",
        )
    return table


def fixed(seeds: Sequence[int], pairs: int) -> Table:
    """The same number of judgments for every pair, by whoever comes; routed: by whom the queue asks."""
    columns = ("judgments a pair", "Dawid-Skene", "online", "read once more", "refined", "ECE refined", "routed")
    table = Table(*columns, title="fixed redundancy; brackets: points ahead of Dawid-Skene")
    for each in (3, 5):
        found = [batch(Crowd(seed, pairs, 0.0, each), each) for seed in seeds]
        targets = Targets(posterior=0.34, min_judgments=each, overlap_cap=each)
        routed = mean(campaign(Crowd(seed, pairs, 0.0, each), targets, each).right for seed in seeds)
        theirs = [one.dawid_skene for one in found]
        ours = ([one.online for one in found], [one.read_once for one in found], [one.refined for one in found])
        told = [f"{mean(right):.4f} ({ahead(right, theirs)})" for right in ours]
        error = mean(one.refined_error for one in found)
        table.add_row(str(each), f"{mean(theirs):.4f}", *told, f"{error:.4f}", f"{routed:.4f}")
    return table


def ahead(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The mean of paired differences in points, with its standard error."""
    differences = [100 * (one - other) for one, other in zip(ours, theirs, strict=True)]
    error = stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else math.nan
    return f"{mean(differences):+.2f} ± {error:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """All tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="crowds to average over")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--pairs", type=int, default=5000)
    options = parser.parse_args(arguments)
    seeds, console = range(options.first, options.first + options.seeds), Console(width=120)
    console.print(adaptive(seeds, options.pairs, 0.0))
    console.print(adaptive(seeds, options.pairs, 1.0))
    console.print(fixed(seeds, options.pairs))


if __name__ == "__main__":
    main()
