"""The coordinator's look at the whole crowd, over a campaign in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from services.coordinator.crowd import FALSE_DISCOVERIES, alerts_for_bursts, alerts_for_copies, alerts_for_rings
from streams.events import Alert, Choice, Judgment, Preference
from streams.quality.bursts import Newcomer
from streams.quality.ring import Answered


class CrowdWatch:
    """Remembers what everybody said of which task; `look` asks who errs together, copies, or came in a burst."""

    def __init__(self) -> None:
        self._choices: dict[str, dict[str, Choice]] = defaultdict(dict)  # by task, by annotator
        self._sketches: dict[str, dict[str, str]] = defaultdict(dict)
        self._gold: dict[str, Choice] = {}
        self._came: dict[str, int] = {}  # when everybody's first judgment was, ms
        self._told: set[str] = set()

    def hear(self, event: Judgment) -> None:
        """Takes a judgment in; adjudicators' and models' are not looked at."""
        if event.role != "annotator":
            return
        self._came.setdefault(event.annotator, event.answered_at)
        self._choices[event.task][event.annotator] = event.choice
        if event.reason_sketch:
            self._sketches[event.task][event.annotator] = event.reason_sketch
        if event.gold is not None:
            self._gold[event.task] = event.gold

    def look(self, preferences: Mapping[str, Preference], at: int) -> list[Alert]:
        """What was not told before."""
        from streams.quality.collusion import rings  # numpy: every command has this module in it

        verdicts = {task: one.verdict for task, one in preferences.items() if one.verdict is not None}
        answers = {**verdicts, **self._gold}
        known = [(task, said) for task, said in self._choices.items() if task in answers]
        answered = [Answered(answer=answers[task], choices=said) for task, said in known]
        alerts = alerts_for_rings(rings(answered, FALSE_DISCOVERIES), at)
        alerts += alerts_for_copies(list(self._sketches.values()), at)
        alerts += alerts_for_bursts(self._newcomers(answered), at)
        new = [alert for alert in alerts if alert.alert not in self._told]
        self._told.update(alert.alert for alert in new)
        return new

    def _newcomers(self, answered: list[Answered]) -> list[Newcomer]:
        compared: dict[str, list[bool]] = defaultdict(list)
        for one in answered:
            for who, choice in one.choices.items():
                compared[who].append(choice != one.answer)
        return [
            Newcomer(annotator=who, at=when, compared=len(compared[who]), dissents=sum(compared[who]))
            for who, when in self._came.items()
        ]
