"""Whether probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Iterable


def calibration_error(believed: Iterable[tuple[float, bool]], bins: int = 10) -> float:
    """Expected calibration error of pairs (probability given to the verdict, whether it was right).

    Mean over bins of equal mass of |accuracy - mean probability|; 0 without pairs. Source: Nixon et al., "Measuring
    calibration in deep learning" (2019), the adaptive form.
    """
    pairs = sorted(believed)
    n = len(pairs)
    parts = (pairs[i * n // bins : (i + 1) * n // bins] for i in range(bins))
    gaps = (abs(sum(probability - right for probability, right in part)) for part in parts)
    return sum(gaps) / n if n else 0.0
