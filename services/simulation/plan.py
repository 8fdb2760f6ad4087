"""What is to be simulated: the campaign, the pairs, the crowd and the prices. Read from YAML, changed by options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta, field

from services.simulation.annotators import ARCHETYPES, Annotator, Archetype, make_crowd
from streams.errors import InputError
from streams.events import Campaign, GoldPolicy, Qualification, Rule, Targets
from streams.mismatch import explained

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
Amount = Annotated[float, Meta(ge=0)]


USUAL: dict[Archetype, float] = {"random": 0.08, "one_sided": 0.04, "fast": 0.04}


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it has defaults. Shares are of 1; prices are in whatever currency you pay."""

    pairs: Count = 1000
    annotators: Annotated[int, Meta(ge=2)] = 24
    crowd: dict[Archetype, Share] = field(default_factory=lambda: dict(USUAL))  # the rest is honest
    accuracy: Annotated[float, Meta(gt=0, lt=1)] = 0.8  # of honest people, on average
    concentration: Annotated[float, Meta(gt=0)] = 12.0  # of the Beta distribution around it; higher is more alike
    activity_sd: Amount = 0.6  # of the log of how much each one works
    since: Share = 0.4  # part of the campaign that is done when adversarial people turn and sybils come
    ties: Share = 0.1  # of the pairs, where neither response is better
    difficulty_sd: Amount = 0.7  # of the pairs' difficulty on the log-odds; 0: all are alike
    length: Count = 660  # characters to read a pair, prompt included
    targets: Annotated[tuple[Annotated[float, Meta(gt=0.34, lt=1)], ...], Meta(min_length=1)] = (0.8, 0.9, 0.95)
    overlap: Count = 1  # judgments wanted a pair at first
    overlap_cap: Count = 7  # at most; then an adjudicator decides
    gold: Annotated[int, Meta(ge=0)] = 50  # further pairs whose answer is known
    gold_rate: Share = 0.1  # of an annotator's tasks, as long as there is gold left for them
    gold_adaptive: bool = False  # the rate is then the most, and follows what is unknown of the annotator
    qualification: Qualification = Qualification()  # a round on gold before real pairs; none of 0 tasks
    adjudicator_accuracy: Share = 0.95
    price: Amount = 0.1  # of a judgment
    adjudication_price: Amount = 0.5
    seeds: Annotated[int, Meta(ge=1, le=1000)] = 5  # repetitions; intervals come from them
    first_seed: int = 0

    def counts(self) -> dict[Archetype, int]:
        """People of each kind; every kind that has a share has somebody, and there is somebody honest."""
        counts = {kind: max(1, round(share * self.annotators)) for kind, share in self.crowd.items() if share > 0}
        counts.pop("honest", None)
        return {"honest": max(0, self.annotators - sum(counts.values())), **counts}

    def crowd_of_seed(self, seed: int) -> list[Annotator]:
        """The people of one trial."""
        return make_crowd(
            self.counts(),
            accuracy=self.accuracy,
            concentration=self.concentration,
            activity_sd=self.activity_sd,
            since=self.since,
            seed=seed,
        )

    def campaign(self, target: float) -> Campaign:
        """The campaign at that target posterior, as it would be put to the service."""
        targets = Targets(posterior=target, min_judgments=1, overlap_cap=self.overlap_cap)
        rules = (Rule(overlap=self.overlap),)
        return Campaign(
            name="simulation",
            version=1,
            rules=rules,
            targets=targets,
            gold_rate=self.gold_rate,
            gold=GoldPolicy(adaptive=self.gold_adaptive),
            qualification=self.qualification,
        )


def read_plan(file: Path | None, changes: Mapping[str, Any]) -> Plan:
    """The plan of the file (or the defaults) with these changes. Raises InputError, which names what is wrong."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"cannot read {file}: {error}", field="plan", mend="name a YAML file") from error
    if not isinstance(found or {}, dict):
        raise InputError(f"{file} is no table of settings", field="plan", mend="write lines such as `pairs: 1000`")
    try:
        plan = msgspec.convert({**(found or {}), **changes}, Plan)
    except msgspec.ValidationError as error:
        mend = f"see `prefloop simulate --help`; a plan may hold: {', '.join(Plan.__struct_fields__)}"
        raise InputError(f"bad plan: {explained(error, Plan)}", field="plan", mend=mend) from error
    return checked(plan)


def checked(plan: Plan) -> Plan:
    """The plan. Raises InputError where its parts do not fit together."""
    if plan.counts()["honest"] < 1:
        raise InputError("nobody honest is left in the crowd", field="crowd", mend="lower the shares or add people")
    if plan.qualification.tasks > plan.gold:
        mend = "raise gold to at least the tasks of the qualification round"
        raise InputError(f"{plan.gold} gold pairs are too few for the round", field="gold", mend=mend)
    if plan.overlap > plan.overlap_cap:
        mend = "raise overlap_cap to at least overlap"
        raise InputError(f"overlap {plan.overlap} is above overlap_cap {plan.overlap_cap}", field="overlap", mend=mend)
    return plan


def crowd_of(text: str) -> dict[str, float]:
    """`random=0.1,ring=0.05` as shares. Raises InputError."""
    shares = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        kind, _, share = part.partition("=")
        try:
            shares[kind.strip()] = float(share)
        except ValueError as error:
            mend = f"write KIND=SHARE with a KIND of {', '.join(ARCHETYPES)}"
            raise InputError(f"cannot read {part!r}", field="crowd", mend=mend) from error
    return shares
