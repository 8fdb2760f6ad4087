"""How well what somebody says on an item is foretold, beside crowd-kit's methods and Davidson's model. Prints a table.

    python -m benchmarks.foretold [--data FOLDER] [--patient]

The last judgment of each item is held out; each method gives the probability of what it said, from all the others. A
method's probabilities are mixed with the share of even odds that is best for it, since crowd-kit's say "never".
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping
from math import log
from pathlib import Path
from statistics import mean
from typing import Any, cast

from rich.console import Console
from rich.table import Table

from benchmarks.davidson import Davidson
from benchmarks.sets import Labels, held_out, jsonl, labelled
from streams.events import Choice
from streams.quality.consensus import CHOICES, Posterior
from streams.quality.refinement import foretell, refine

ROOT = Path(__file__).parents[1]
CROWD_KIT = ("MajorityVote", "DawidSkene", "OneCoinDawidSkene", "MACE", "Wawa", "ZeroBasedSkill", "KOS", "GLAD", "MMSR")
MOST_JUDGMENTS = {"GLAD": 10_000}  # minutes for more: a larger set is sampled for it, unless one is patient
MOST_ANNOTATORS = {"MMSR": 500}  # it did not end within four minutes with the sample's 1,054
SAMPLE = 1_500  # items
MIXES = (1e-4, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # shares of even odds


def foretold(folder: Path, console: Console, patient: bool = False) -> None:
    """A row a method, a column a set: log-loss of the last judgment of each item, in nats."""
    found: dict[str, dict[str, float]] = {}
    for name in ("ukp_dev", "llmfao"):
        path = folder / f"{name}_judgments.jsonl.gz"
        if path.exists():
            labels = jsonl(path)
            found[name] = losses(labels, console, patient)
            if len(labels) > max(MOST_JUDGMENTS.values()):
                found[f"{name}, first {SAMPLE:,} items"] = losses(sample(labels), console)
    table = Table("log-loss of a held-out judgment, nats", *found)
    for method in dict.fromkeys(method for of in found.values() for method in of):
        table.add_row(method, *[f"{of[method]:.4f}" if method in of else "-" for of in found.values()])
    console.print(table)


def sample(labels: Labels) -> Labels:
    """The judgments of the first items."""
    first = set(list(dict.fromkeys(item for item, _, _ in labels))[:SAMPLE])
    return [label for label in labels if label[0] in first]


def ends(method: str, labels: Labels, patient: bool) -> bool:
    """Whether the method ends within a minute or so, or a few of them."""
    if method in MOST_ANNOTATORS:
        return len({who for _, who, _ in labels}) <= MOST_ANNOTATORS[method]
    return patient or len(labels) <= MOST_JUDGMENTS.get(method, len(labels))


def losses(labels: Labels, console: Console, patient: bool = False) -> dict[str, float]:
    """Of every method that runs."""
    kept, answers = held_out(labels)
    who = {item: annotator for item, annotator, _ in labels if item in answers}  # the last one of each
    given = {"votes, smoothed": smoothed(kept)}
    for method in CROWD_KIT:
        if ends(method, labels, patient):
            given[method] = crowd_kit(method, kept, console)
    davidson, refined = Davidson(labelled(kept)), refine(labelled(kept))
    given["Davidson"] = {item: davidson.foretell(item, who[item]) for item in answers}
    given["refined"] = {item: foretell(refined, item, who[item]) for item in answers}
    return {method: log_loss(each, answers) for method, each in given.items() if each}


def shares(labels: Labels) -> Posterior:
    """Of a, b and tie in the set."""
    count = Counter(label for _, _, label in labels)
    return count["a"] / len(labels), count["b"] / len(labels), count["tie"] / len(labels)


def smoothed(labels: Labels, worth: float = 3.0) -> dict[str, Posterior]:
    """Each item's votes, with the set's shares as three more."""
    votes: dict[str, Counter[Choice]] = defaultdict(Counter)
    for item, _, label in labels:
        votes[item][label] += 1
    prior = dict(zip(CHOICES, shares(labels), strict=True))
    return {
        item: cast(Posterior, tuple((count[c] + worth * prior[c]) / (count.total() + worth) for c in CHOICES))
        for item, count in votes.items()
    }


def crowd_kit(method: str, labels: Labels, console: Console) -> dict[str, Posterior]:
    """The posteriors of one of crowd-kit's methods (where it has verdicts alone: those); empty where it fails."""
    import pandas as pd

    frame = pd.DataFrame(labels, columns=["task", "worker", "label"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solver = runnable(method)
            if not hasattr(solver, "fit_predict_proba"):
                return {str(item): certain(label) for item, label in solver.fit_predict(frame).items()}
            found = solver.fit_predict_proba(frame).reindex(columns=list(CHOICES), fill_value=0)
    except ValueError as error:  # KOS knows two labels alone
        console.print(f"{method} does not run: {error}")
        return {}
    return {str(item): (float(a), float(b), float(tie)) for item, a, b, tie in found.itertuples()}


def runnable(method: str) -> Any:
    """crowd-kit's method; two of them lack what today's scikit-learn asks of an estimator."""
    from crowdkit import aggregation
    from sklearn.base import BaseEstimator  # type: ignore[import-untyped]

    return type(method, (getattr(aggregation, method), BaseEstimator), {})()


def certain(label: Choice) -> Posterior:
    """All of the probability on one label."""
    return cast(Posterior, tuple(float(choice == label) for choice in CHOICES))


def log_loss(foretold: Mapping[str, Posterior], answers: Mapping[str, Choice]) -> float:
    """Mean -log P(answer), in nats, with the share of even odds in it that is best for the method."""
    at = {choice: number for number, choice in enumerate(CHOICES)}
    given = [foretold[item][at[answer]] for item, answer in answers.items()]
    return min(mean(-log((1 - mix) * each + mix / 3) for each in given) for mix in MIXES)


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("PREFLOOP_SHARED_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(default), help="folder that holds judgments/")
    parser.add_argument("--patient", action="store_true", help="GLAD on the whole of every set: four minutes more")
    options = parser.parse_args()
    foretold(options.data / "judgments", Console(width=130), options.patient)


if __name__ == "__main__":
    main()
