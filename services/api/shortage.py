"""Why there is no task for somebody just now, as a word in a header of the 204; the page says it in sentences."""

from __future__ import annotations

from typing import Literal

from starlette.responses import Response

from services.api.context import Call
from streams.quality.routing import Grade

HEADER = "X-Prefloop-Reason"
Reason = Literal["done", "others", "slower"]


async def nothing(call: Call, annotator: str, campaign: str | None) -> Response:
    """The answer where there is no task: 204 with the reason."""
    queue = call.context.queue
    counts, grades = await call.context.ask(lambda: (queue.counts(), queue.grades([annotator])))
    is_open = bool(counts.open if campaign is None else counts.by_campaign.get(campaign))
    return Response(status_code=204, headers={HEADER: reason(is_open, grades.get(annotator))})


def reason(is_open: bool, grade: Grade | None) -> Reason:
    """`done`: nothing is open. `slower`: tasks come to them more slowly for now. `others`: what is open is others'."""
    if not is_open:
        return "done"
    return "slower" if grade == "seldom" else "others"
