from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.coordinator.gate import decide, decide_report
from services.report import EvaluationReport, Holdout, OverRefusal, Samples
from streams.events import Gate

GATE = Gate()


def held_out(both: int, new: int, champion: int, neither: int) -> Holdout:
    return Holdout(
        pairs=both + new + champion + neither,
        new_correct=both + new,
        champion_correct=both + champion,
        only_new_correct=new,
        only_champion_correct=champion,
    )


GOOD = EvaluationReport(
    holdout=held_out(60, 20, 5, 15),
    over_refusal=OverRefusal(safe_prompts=100, new_refused_safe=6, champion_refused_safe=5),
    kl=3.0,
)


def with_(**changes: object) -> EvaluationReport:
    return msgspec.structs.replace(GOOD, **changes)


def failed(report: EvaluationReport, gate: Gate = GATE) -> list[str]:
    decision = decide(report, gate)
    reasons = [reason for reason in decision.reasons if reason.endswith(": fail")]
    assert (decision.decision == "rejected") == bool(reasons)
    return reasons


def test_a_better_model_is_promoted_with_a_sentence_for_every_question() -> None:
    decision = decide(GOOD, GATE)
    assert decision.decision == "promoted"
    assert decision.reasons == (
        "compared with the base model, which a promotion would replace: pass",
        "held-out accuracy 0.80 against 0.65, difference +0.15 [+0.07, +0.23], 100 pairs; the low end must be"
        " above -0.05: pass",
        "over-refusal 0.06 against 0.05, difference +0.01 [-0.05, +0.07], 100 safe prompts; at most +0.10: pass",
        "KL to the reference model 3.00 nats a response; at most 20: pass",
        "empty answers, none were sampled: not measured",
    )


def test_a_model_that_says_nothing_is_rejected_however_well_it_ranks() -> None:
    collapsed = Samples(prompts=8, new_empty=8, champion_empty=0, new_length=1.0, champion_length=170.0)
    (reason,) = failed(with_(samples=collapsed))
    assert "empty answers 1.00 against 0.00, difference +1.00 [" in reason
    assert "mean length 1 against 170 characters" in reason
    assert not failed(with_(samples=collapsed), Gate(max_empty=1.0))


def test_one_empty_answer_or_short_ones_are_no_collapse() -> None:
    assert not failed(with_(samples=Samples(prompts=8, new_empty=1, new_length=20.0, champion_length=170.0)))


def test_more_empty_answers_than_prompts_contradict() -> None:
    (reason,) = failed(with_(samples=Samples(prompts=8, new_empty=9)))
    assert "contradicts itself" in reason


def test_too_few_pairs_are_no_comparison() -> None:
    (reason,) = failed(with_(holdout=held_out(7, 0, 0, 0)))
    assert "7 held-out pairs, at least 8 are needed" in reason


def test_no_pairs_at_all_are_rejected_even_where_none_are_asked_for() -> None:
    (reason,) = failed(with_(holdout=Holdout()), Gate(min_holdout_pairs=0))
    assert "0 held-out pairs" in reason


def test_a_worse_model_is_rejected() -> None:
    (reason,) = failed(with_(holdout=held_out(60, 5, 20, 15)))
    assert "difference -0.15" in reason


def test_a_drop_that_cannot_be_ruled_out_is_rejected() -> None:
    (reason,) = failed(with_(holdout=held_out(5, 2, 2, 1)))
    assert "+0.00 [-0.3" in reason


def test_more_pairs_rule_the_same_drop_out() -> None:
    assert not failed(with_(holdout=held_out(1500, 100, 100, 300)))


def test_over_refusal_is_bounded_above_the_champions() -> None:
    counts = OverRefusal(safe_prompts=50, new_refused_safe=12, champion_refused_safe=5)
    (reason,) = failed(with_(over_refusal=counts))
    assert "over-refusal 0.24 against 0.10" in reason
    assert not failed(with_(over_refusal=counts), Gate(max_over_refusal=0.2))


@pytest.mark.parametrize("kl", [20.1, float("nan"), float("inf")])
def test_kl_is_bounded(kl: float) -> None:
    (reason,) = failed(with_(kl=kl))
    assert "KL" in reason


def test_what_was_not_measured_is_said_and_decides_nothing() -> None:
    report = with_(kl=None, over_refusal=OverRefusal())
    decision = decide(report, GATE)
    assert decision.decision == "promoted"
    assert sum(reason.endswith(": not measured") for reason in decision.reasons) == 3


def test_a_slice_that_is_surely_worse_is_rejected_and_named() -> None:
    slices = {"locale=en": held_out(40, 10, 2, 8), "locale=fr": held_out(10, 1, 20, 5)}
    (reason,) = failed(with_(slices=slices))
    assert reason.startswith("slice locale=fr: accuracy 0.31 against 0.83")


def test_a_slice_that_may_be_chance_is_let_through() -> None:
    assert not failed(with_(slices={"locale=fr": held_out(8, 2, 4, 6)}))


def test_small_slices_are_counted_not_judged() -> None:
    reasons = decide(with_(slices={"a=1": held_out(0, 0, 3, 0), "a=2": held_out(0, 0, 7, 0)}), GATE).reasons
    assert "2 slices with fewer than 8 held-out pairs: not measured" in reasons


def test_the_more_slices_are_looked_at_the_surer_it_must_be() -> None:
    suspicious = held_out(10, 1, 6, 5)
    assert failed(with_(slices={"a=0": suspicious}))
    many = {f"b={n}": held_out(10, 3, 3, 4) for n in range(40)}
    assert not failed(with_(slices={"a=0": suspicious, **many}))


def test_a_report_against_a_former_champion_is_rejected() -> None:
    decision = decide(GOOD, GATE, compared_with="m1", champion="m2")
    assert decision.decision == "rejected"
    assert decision.reasons[0].startswith("compared with m1, but m2 is champion by now")


@pytest.mark.parametrize(
    "report",
    [
        with_(holdout=Holdout(pairs=10, new_correct=8, champion_correct=8, only_new_correct=3)),
        with_(holdout=Holdout(pairs=10, new_correct=11, champion_correct=11)),
        with_(over_refusal=OverRefusal(safe_prompts=3, new_refused_safe=4)),
        with_(slices={"a=1": Holdout(pairs=-1, new_correct=-1)}),
    ],
)
def test_counts_that_contradict_each_other_are_rejected(report: EvaluationReport) -> None:
    decision = decide(report, GATE)
    assert decision.decision == "rejected"
    assert "contradicts itself" in decision.reasons[0]


def test_a_report_that_is_none_is_rejected() -> None:
    decision = decide_report({"holdout": {"pairs": "many"}}, GATE, compared_with="", champion="")
    assert decision.decision == "rejected"
    assert "cannot be read" in decision.reasons[0]


cells = st.integers(0, 60)


@given(cells, cells, cells, cells)
def test_turning_a_loss_into_a_win_never_turns_a_promotion_into_a_rejection(
    both: int, new: int, champion: int, neither: int
) -> None:
    before = decide(with_(holdout=held_out(both, new, champion + 1, neither)), GATE)
    after = decide(with_(holdout=held_out(both, new + 1, champion, neither)), GATE)
    assert not (before.decision == "promoted" and after.decision == "rejected")
