import random
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import DawidSkene

from streams.events import Choice
from streams.quality import refinement
from streams.quality.calibration import calibration_error
from streams.quality.changes import SPAN
from streams.quality.consensus import CHOICES, verdict
from streams.quality.labelled import Labelled
from streams.quality.refinement import (
    Judged,
    Model,
    evidence,
    expect,
    fit,
    foretell,
    learned_share,
    maximise,
    refine,
    told,
)

OTHER: dict[Choice, Choice] = {"a": "b", "b": "a", "tie": "tie"}


def crowd(items: int = 400, people: int = 20, each: int = 5, seed: int = 0) -> tuple[list[Labelled], dict[str, Choice]]:
    """One truth in five is a tie; people are right between 60 and 95 of 100 times, a fifth of them guess."""
    draw = random.Random(seed)
    accuracy = {f"w{n}": 0.5 if n % 5 == 0 else draw.uniform(0.6, 0.95) for n in range(people)}
    truth: dict[str, Choice] = {f"t{n}": draw.choices(CHOICES, (4, 4, 2))[0] for n in range(items)}
    judgments = []
    for item, right in truth.items():
        for who in draw.sample(sorted(accuracy), each):
            known = draw.random() < 2 * accuracy[who] - 1
            choice = right if known else draw.choices(CHOICES, (9, 9, 2))[0]
            judgments.append(Labelled(item=item, annotator=who, choice=choice, swapped=draw.random() < 0.5))
    return judgments, truth


def share_right(found: dict[str, Choice], truth: dict[str, Choice]) -> float:
    return sum(found[item] == right for item, right in truth.items()) / len(truth)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, about crowd-kit
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_as_right_as_crowd_kits_dawid_skene_and_calibrated(seed: int) -> None:
    judgments, truth = crowd(seed=seed)
    refined = refine(judgments)
    frame = pd.DataFrame([(j.item, j.annotator, j.choice) for j in judgments], columns=["task", "worker", "label"])
    theirs = dict(DawidSkene(n_iter=50).fit_predict(frame))
    ours = {item: verdict(belief)[0] for item, belief in refined.posteriors.items()}
    assert share_right(ours, truth) >= share_right(theirs, truth) - 0.02  # equal on average
    believed = [(max(belief), ours[item] == truth[item]) for item, belief in refined.posteriors.items()]
    assert calibration_error(believed) < 0.06


def test_guessers_are_told_from_those_who_know() -> None:
    refined = refine(crowd(each=8)[0])
    accuracy = {who: known.accuracy for who, known in refined.annotators.items()}
    guessers = [accuracy[f"w{n}"] for n in range(0, 20, 5)]
    assert max(guessers) < 0.65 < np.mean([each for who, each in accuracy.items() if int(who[1:]) % 5])
    assert all(known.accuracy_low <= known.accuracy <= known.accuracy_high for known in refined.annotators.values())


@pytest.mark.parametrize(("people", "each"), [(20, 3), (40, 5)])
def test_intervals_of_accuracy_hold_it_as_often_as_they_say(people: int, each: int) -> None:
    """Also where few others said something of each item, and they are no better."""
    draw, held = random.Random(people), []
    for _ in range(4):
        accuracy = [draw.betavariate(8, 4) for _ in range(people)]
        judgments = []
        for item in range(300):
            right = draw.choice(CHOICES[:2])
            for who in draw.sample(range(people), each):
                choice = right if draw.random() < accuracy[who] else OTHER[right]
                judgments.append(Labelled(item=f"t{item}", annotator=f"{who}", choice=choice))
        for name, known in refine(judgments).annotators.items():
            held.append(known.accuracy_low <= accuracy[int(name)] <= known.accuracy_high)
    assert np.mean(held) >= 0.88


def test_the_accuracy_is_that_on_all_items_the_hard_ones_among_them() -> None:
    draw, people = random.Random(2), 15
    judgments, right = [], dict.fromkeys(range(people), 0)
    for item in range(1200):
        truth = draw.choice(CHOICES[:2])
        is_hard = draw.random() < 0.3
        for who in draw.sample(range(people), 5):
            choice = truth if draw.random() < (0.5 if is_hard else 0.9) else OTHER[truth]
            right[who] += choice == truth
            judgments.append(Labelled(item=f"t{item}", annotator=f"{who}", choice=choice))
    found = refine(judgments).annotators
    bias = np.mean([found[f"{who}"].accuracy - right[who] / found[f"{who}"].judgments for who in range(people)])
    assert abs(bias) < 0.04  # of usual items alone, 0.1 too good


def test_a_and_b_are_only_names() -> None:
    judgments, _ = crowd(items=60)
    mirrored = [Labelled(item=j.item, annotator=j.annotator, choice=OTHER[j.choice]) for j in judgments]
    ours, theirs = refine(judgments).posteriors, refine(mirrored).posteriors
    for item, (a, b, tie) in ours.items():
        assert theirs[item] == pytest.approx((b, a, tie), abs=1e-6)


def test_each_round_makes_what_was_said_likelier() -> None:
    """The invariant of expectation maximisation, up to the crowd's means, which move with the round."""
    judged = Judged(crowd()[0])
    model, found = Model(judged, 0.1), []
    for _ in range(15):
        found.append(evidence(model, judged).sum())
        maximise(model, judged, expect(model, judged))
    assert found[-1] > found[0]
    assert all(after > before - 0.5 for before, after in pairwise(found))


def test_who_turns_against_the_truth_is_read_the_other_way_from_then_on() -> None:
    draw = random.Random(5)
    judgments = []
    for number in range(400):
        for who, accuracy in (("turned", 0.9 if number < 200 else 0.1), *((f"w{n}", 0.8) for n in range(3))):
            choice: Choice = "a" if draw.random() < accuracy else "b"
            judgments.append(Labelled(item=f"t{number}", annotator=who, choice=choice))
    judged = Judged(judgments)
    model = fit(judged, 0.1, 20)
    assert judged.annotators[0] == "turned"
    same = (model.decisive / model.decisive.sum(axis=1, keepdims=True))[judged.spans.owner == 0, refinement.SAME]
    before = 200 // SPAN
    assert len(same) == 2 * before
    assert min(same[:before]) > 0.75 > 0.25 > max(same[before:])
    assert 0.4 < model.own_decisive[0, refinement.SAME] < 0.6  # over all their time


def test_who_never_changes_is_judged_by_all_they_said() -> None:
    judged = Judged(crowd(each=8)[0])
    model = fit(judged, 0.1, 20)
    same = (model.decisive / model.decisive.sum(axis=1, keepdims=True))[:, refinement.SAME]
    for who in range(len(judged.annotators)):
        spans = same[judged.spans.owner == who]
        assert len(spans) > 5
        assert max(spans) - min(spans) < 0.15  # of 25 judgments each on its own, 0.4


def test_nobody_confirms_themselves() -> None:
    """What a judgment is weighed with hardly depends on what is believed of its own item."""
    judgments, _ = crowd(items=60, people=60)  # five judgments each
    judged = Judged(judgments)
    own, found = judged.item == 0, []
    for belief in ((0.98, 0.01, 0.01), (0.01, 0.98, 0.01)):
        model = fit(judged, 0.1, 10)
        beliefs = expect(model, judged)
        beliefs[0] = np.array([belief, (0.0, 0.0, 0.0)])
        maximise(model, judged, beliefs)
        found.append(told(model, judged)[own, 0])
    np.testing.assert_allclose(found[0], found[1], atol=0.15)  # 0.5 if it were counted


@pytest.mark.parametrize("hard", [0.0, 0.3])
def test_the_share_of_hard_items_is_learned_and_posteriors_mean_what_they_say_with_it(hard: float) -> None:
    """On hard items everybody guesses."""
    draw = random.Random(11)
    accuracy = [draw.uniform(0.7, 0.95) for _ in range(20)]
    judgments, truth = [], {}
    for number in range(1500):
        truth[f"t{number}"] = right = draw.choice(CHOICES[:2])
        is_hard = draw.random() < hard
        for who in draw.sample(range(20), 5):
            choice = right if draw.random() < (0.5 if is_hard else accuracy[who]) else OTHER[right]
            judgments.append(Labelled(item=f"t{number}", annotator=f"w{who}", choice=choice))
    judged = Judged(judgments)
    share = learned_share(judged)
    assert share == pytest.approx(hard, abs=0.15)
    wrong = 0.01 if hard else 0.3
    assert miscalibration(judged, share, truth) < miscalibration(judged, wrong, truth) - 0.01


def miscalibration(judged: Judged, share: float, truth: dict[str, Choice]) -> float:
    belief = expect(fit(judged, share, 40), judged).sum(axis=1).tolist()
    found = [(max(row), verdict((row[0], row[1], row[2]))[0]) for row in belief]
    return calibration_error(
        (most, name == truth[item]) for item, (most, name) in zip(judged.items, found, strict=True)
    )


def test_a_judgment_of_half_the_weight_moves_half_as_far_and_none_without() -> None:
    judgments, _ = crowd(items=200)
    target, who = judgments[0].item, judgments[0].annotator

    def odds(weight: float) -> float:
        changed = [
            Labelled(item=j.item, annotator=j.annotator, choice="a", swapped=j.swapped, weight=weight)
            if (j.item, j.annotator) == (target, who)
            else j
            for j in judgments
        ]
        a, b, _ = refine(changed).posteriors[target]
        return float(np.log(a / b))

    without = refine([j for j in judgments if (j.item, j.annotator) != (target, who)]).posteriors[target]
    none, half, whole = odds(0.0), odds(0.5), odds(1.0)
    assert none == pytest.approx(np.log(without[0] / without[1]), abs=0.05)
    assert none < half < whole


def test_a_single_judgment_is_believed() -> None:
    """As that of somebody of a usual crowd."""
    a, b, tie = refine([Labelled(item="i", annotator="w", choice="a")]).posteriors["i"]
    assert a > 0.6 > 0.3 > b > tie


def test_judgments_that_were_held_out_are_foretold_better_than_by_the_votes_alone() -> None:
    judgments, _ = crowd(items=600, each=5)
    last = {j.item: j for j in judgments}
    kept = [j for j in judgments if last[j.item] is not j]
    refined = refine(kept)
    ours, votes = 0.0, 0.0
    for item, judgment in last.items():
        foretold = foretell(refined, item, judgment.annotator)
        assert sum(foretold) == pytest.approx(1)
        said = [j.choice for j in kept if j.item == item]
        ours -= np.log(foretold[CHOICES.index(judgment.choice)])
        votes -= np.log((said.count(judgment.choice) + 1) / (len(said) + 3))
    assert ours < 0.97 * votes


def test_strangers_are_taken_as_the_crowd() -> None:
    refined = refine(crowd(items=50)[0])
    assert sum(foretell(refined, "t1", "nobody")) == pytest.approx(1)
    with pytest.raises(KeyError):
        foretell(refined, "no such item", "w1")
