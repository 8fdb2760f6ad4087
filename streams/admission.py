"""What may enter the log: requests as they are sent, checked, normalised and stamped into events. Pure.

The HTTP API, the Kafka topic `intake` and `prefloop replay` admit by these functions alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from streams.content import (
    check_characters,
    digest_of,
    digest_of_messages,
    length_of,
    markdown_of,
    messages_of,
    parts_of,
)
from streams.errors import InputError
from streams.events import (
    Campaign,
    Choice,
    Judgment,
    Message,
    Mode,
    Output,
    Part,
    Response,
    Role,
    Rule,
    Signal,
    Task,
    Text,
    digest,
)
from streams.intake import MOST_BYTES as MOST_BYTES
from streams.intake import RawJudgment as RawJudgment
from streams.intake import RawOutput as RawOutput
from streams.intake import RawResponse as RawResponse
from streams.intake import RawSignal as RawSignal
from streams.intake import Side as Side
from streams.quality import reasons

MOST_SKEW_MS = 24 * 3_600_000  # a clock may be wrong by a day; more is another unit
HASH_RANGE = 1 << 32


class TaskFacts(Struct, frozen=True, kw_only=True):
    """What a judgment is stamped with of its task."""

    task: str
    campaign: str
    campaign_version: int
    gold: Choice | None
    prompt_length: int
    length_a: int
    length_b: int
    mode: Mode
    correlation: str


class Shown(Struct, frozen=True, kw_only=True):
    """To whom the task was shown, and how."""

    annotator: str
    role: Role = "annotator"
    swapped: bool = False  # canonical b on the left
    late: bool = False  # its slot was gone: outside the consensus


# ---------------------------------------------------------------- outputs


def admit_output(raw: RawOutput, campaign: Campaign, now: int, actor: str, output_id: str = "") -> tuple[Output, Text]:
    """The output and its words, ready for the log. `output_id` is the id to take where the producer sent none.

    Raises InputError, which names the field and the mend.
    """
    output = raw.id or output_id
    prompt = messages_of(raw.prompt)
    contents = [parts_of(r if isinstance(r, str) else r.content) for r in raw.responses]
    prompt_length = _check_output(raw, output, prompt, contents, campaign)
    prompt_digest = digest_of_messages(prompt)
    responses = tuple(
        [_response(raw, position, content) for position, content in enumerate(contents)],
    )
    rule = matching_rule(campaign.rules, raw.tags)
    sampled = raw.gold is not None or (rule is not None and is_sampled(output, rule.sampling_rate))
    decided = rule or Rule()
    occurred_at = clamp_time(raw.time, now)
    event = Output(
        id=output,
        campaign=campaign.name,
        campaign_version=campaign.version,
        occurred_at=occurred_at,
        ingested_at=now,
        actor=actor,
        correlation=output,
        output=output,
        prompt_digest=prompt_digest,
        prompt_length=prompt_length,
        responses=responses,
        tags=raw.tags,
        trace=raw.trace,
        sampled=sampled,
        overlap=decided.overlap,
        priority=decided.priority,
        skills=decided.skills,
        target_posterior=campaign.targets.posterior,
        min_judgments=campaign.targets.min_judgments,
        overlap_cap=campaign.targets.overlap_cap,
        mode=campaign.mode,
        zero_tolerance=campaign.zero_tolerance,
        holdout=is_held_out(prompt_digest, campaign.training.holdout_rate),
        gold=raw.gold,
        content_hash=_content_hash(raw, campaign.name, prompt_digest, responses),
    )
    return event, _words(event, output, prompt=prompt, responses=tuple(contents))


def matching_rule(rules: Sequence[Rule], tags: dict[str, str]) -> Rule | None:
    """The first rule whose every condition fits the tags, or None."""
    for rule in rules:
        if all(_fits(tags.get(tag), wanted) for tag, wanted in rule.match.items()):
            return rule
    return None


def is_sampled(output: str, rate: float) -> bool:
    """Decided by a hash of the id: the same output is always decided alike."""
    return rate >= 1.0 or int(digest("sampling", output)[:8], 16) < rate * HASH_RANGE


def is_held_out(prompt_digest: str, rate: float) -> bool:
    """Decided by the prompt alone, once and for ever: a prompt is never on both sides."""
    return int(prompt_digest[:8], 16) < rate * HASH_RANGE


def clamp_time(time: int | None, now: int, field: str = "time") -> int:
    """`now` where nothing was sent or the sender's clock is ahead; InputError where the unit must be wrong."""
    if time is None:
        return now
    if 0 <= time <= now:
        return time
    if time < 0 or time > now + MOST_SKEW_MS:
        raise InputError(
            f"{field} {time} is not a time of today or before",
            field=field,
            mend="send milliseconds since 1970 UTC (13 digits), or leave it out",
        )
    return now


def _fits(value: str | None, wanted: str | list[str]) -> bool:
    return value == wanted if isinstance(wanted, str) else value in wanted


def _response(raw: RawOutput, position: int, content: tuple[Part, ...]) -> Response:
    sent = raw.responses[position]
    model, version = raw.model, raw.model_version
    if not isinstance(sent, str) and sent.model:
        model, version = sent.model, sent.model_version
    return Response(
        digest=digest_of(content),
        length=length_of(content),
        model=model,
        model_version=version,
        markdown=markdown_of(content),
    )


def _content_hash(raw: RawOutput, campaign: str, prompt_digest: str, responses: Sequence[Response]) -> str:
    """Of all that was sent but the time, which a retry may stamp anew."""
    sent = [replace(response, markdown=0) for response in responses]  # counted here, and perhaps otherwise one day
    said = (campaign, prompt_digest, raw.trace, raw.gold, sent, sorted(raw.tags.items()))
    return hashlib.blake2b(msgspec.json.encode(said), digest_size=16).hexdigest()


def _check_output(
    raw: RawOutput,
    output: str,
    prompt: tuple[Message, ...],
    contents: Sequence[tuple[Part, ...]],
    campaign: Campaign,
) -> int:
    """Raises InputError for what the types do not rule out; the prompt's length in characters."""
    texts = [part.text for message in prompt for part in message.content]
    asked = "".join(texts)
    if not asked or asked.isspace():
        raise InputError("prompt is empty", field="prompt", mend="send the words that the model was asked")
    answers = [part.text for content in contents for part in content]
    if campaign.mode == "live":
        _check_responses(contents)
    names = [word for sent in raw.responses if not isinstance(sent, str) for word in (sent.model, sent.model_version)]
    everything = "".join([output, raw.trace, raw.model, raw.model_version, *names, *raw.tags, *raw.tags.values()])
    everything = "".join([everything, asked, *answers])
    if "\x00" in everything or not everything.isascii():  # else there is nothing to find fault with
        _check_characters(raw, output, texts, contents)
    if len(everything) * 4 > MOST_BYTES:  # UTF-8 needs at most 4 bytes a character
        _check_size("".join([asked, *answers]))
    if raw.gold is not None and len(contents) != 2:
        raise InputError(
            f"gold compares two responses, and this output has {len(contents)}",
            field="gold",
            mend="send exactly two responses with a known answer",
        )
    return len(asked)


def _check_characters(raw: RawOutput, output: str, texts: Sequence[str], contents: Sequence[tuple[Part, ...]]) -> None:
    """Names the field that holds what cannot be stored."""
    check_characters("".join((output, raw.trace, raw.model, raw.model_version)), "id, trace or model")
    for tag, value in raw.tags.items():
        check_characters(tag + value, "tags")
    for index, sent in enumerate(raw.responses):
        if not isinstance(sent, str):
            check_characters(sent.model + sent.model_version, f"responses[{index}].model")
    check_characters("".join(texts), "prompt")
    for index, content in enumerate(contents):
        check_characters("".join([part.text for part in content]), f"responses[{index}]")


def _check_responses(contents: Sequence[tuple[Part, ...]]) -> None:
    for index, content in enumerate(contents):
        for part in content:
            if part.text and not part.text.isspace():
                break
        else:
            raise InputError(
                f"responses[{index}] is empty",
                field=f"responses[{index}]",
                mend="send the response's words; only campaigns of mode `recorded` take empty ones",
            )


def _check_size(text: str) -> None:
    size = len(text.encode())
    if size > MOST_BYTES:
        raise InputError(
            f"prompt and responses are {size} bytes together, more than {MOST_BYTES}",
            field="prompt",
            mend=f"shorten them to {MOST_BYTES // 1024} KiB",
        )


# ---------------------------------------------------------------- signals


def admit_signal(
    raw: RawSignal, campaign: str, now: int, actor: str, signal_id: str = ""
) -> tuple[Signal, Text | None, str]:
    """The signal, the words of an edit (if any) and the content hash. Raises InputError."""
    signal = raw.id or signal_id
    check_characters(signal + raw.output, "id or output")
    check_characters(raw.edit or "", "edit")
    if raw.edit is not None and raw.kind != "edit":
        raise InputError(f"a {raw.kind} has no edit", field="edit", mend="leave it out, or send kind `edit`")
    event = Signal(
        id=signal,
        campaign=campaign,
        occurred_at=clamp_time(raw.time, now),
        ingested_at=now,
        actor=actor,
        correlation=raw.output,
        signal=signal,
        output=raw.output,
        kind=raw.kind,
        position=raw.position,
        value=raw.value,
    )
    content_hash = digest(raw.output, raw.kind, repr(raw.position), repr(raw.value), raw.edit or "")
    return event, _words(event, signal, responses=(parts_of(raw.edit),)) if raw.edit else None, content_hash


# ---------------------------------------------------------------- judgments


def judgment_id(task: str, annotator: str, revision: int) -> str:
    """The one id of this revision of this person's judgment."""
    return digest("judgment", task, annotator, str(revision))


def facts_of(task: Task) -> TaskFacts:
    """What a judgment needs of the task."""
    return TaskFacts(
        task=task.task,
        campaign=task.campaign,
        campaign_version=task.campaign_version,
        gold=task.gold,
        prompt_length=task.prompt_length,
        length_a=task.a.response.length,
        length_b=task.b.response.length,
        mode=task.mode,
        correlation=task.correlation,
    )


def stamp_judgment(
    raw: RawJudgment, facts: TaskFacts, shown: Shown, campaign: Campaign, now: int, actor: str
) -> tuple[Judgment, Text | None]:
    """The judgment in canonical sides, and the words of its reason (if any). Raises InputError."""
    _check_marks(raw, campaign)
    check_characters(raw.reason, "reason")
    shown_at, answered_at = _answer_times(raw, now)
    identity = judgment_id(facts.task, shown.annotator, raw.revision)
    event = Judgment(
        id=identity,
        campaign=facts.campaign,
        campaign_version=facts.campaign_version,
        occurred_at=answered_at,
        ingested_at=now,
        actor=actor,
        correlation=facts.correlation,
        judgment=identity,
        task=facts.task,
        annotator=shown.annotator,
        revision=raw.revision,
        choice=canonical(raw.choice, shown.swapped),
        swapped=shown.swapped,
        strength=raw.strength,
        marks={name: canonical(side, shown.swapped) for name, side in raw.marks.items()},
        flags=tuple(dict.fromkeys(raw.flags)),
        shown_at=shown_at,
        answered_at=answered_at,
        role=shown.role,
        gold=facts.gold,
        prompt_length=facts.prompt_length,
        length_a=facts.length_a,
        length_b=facts.length_b,
        late=shown.late,
        reason_length=len(raw.reason),
        spread=campaign.spread,
        reason_sketch=reasons.sketch(raw.reason),
        reason_signs=reasons.signs(raw.reason),
        mode=facts.mode,
    )
    return event, _words(event, identity, reason=raw.reason) if raw.reason else None


def canonical(side: Side, swapped: bool) -> Choice:
    """The side shown as canonical side: `left` is a, unless the sides were swapped."""
    if side == "tie":
        return "tie"
    return "a" if (side == "left") != swapped else "b"


def judgment_hash(raw: RawJudgment) -> str:
    """Of what the person said; the clock is no part of it."""
    marks = [word for name in sorted(raw.marks) for word in (name, raw.marks[name])]
    return digest(raw.choice, repr(raw.strength), str(len(marks)), *marks, *sorted(raw.flags), raw.reason)


def _check_marks(raw: RawJudgment, campaign: Campaign) -> None:
    known = [criterion.name for criterion in campaign.criteria] if raw.marks else []
    for name in raw.marks:
        if name not in known:
            raise InputError(
                f"{name!r} is no criterion of campaign {campaign.name!r}",
                field="marks",
                mend=f"mark one of: {', '.join(known) or 'none, it has no criteria'}",
            )


def _answer_times(raw: RawJudgment, now: int) -> tuple[int, int]:
    """(shown_at, answered_at); a clock that is ahead is set back by what it is ahead, so that the time taken stays."""
    answered_at = clamp_time(raw.answered_at, now, "answered_at")
    if raw.shown_at is None:
        return 0, answered_at
    clamp_time(raw.shown_at, now, "shown_at")
    ahead = (raw.answered_at or answered_at) - answered_at
    shown_at = raw.shown_at - ahead
    return (shown_at if 0 <= shown_at <= answered_at else 0), answered_at


def _words(
    event: Output | Judgment | Signal,
    owner: str,
    *,
    prompt: tuple[Message, ...] = (),
    responses: tuple[tuple[Part, ...], ...] = (),
    reason: str = "",
) -> Text:
    return Text(
        id=owner,
        campaign=event.campaign,
        campaign_version=event.campaign_version,
        occurred_at=event.occurred_at,
        ingested_at=event.ingested_at,
        actor=event.actor,
        correlation=event.correlation,
        owner=owner,
        prompt=prompt,
        responses=responses,
        reason=reason,
    )
