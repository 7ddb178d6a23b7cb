"""How well scores tell good documents from bad: the curves, the area under them, and where to cut."""

from typing import NamedTuple

import numpy as np


class RocCurve(NamedTuple):
    """What a cut at each threshold keeps: documents whose score is that high, or higher. Thresholds fall."""

    thresholds: np.ndarray  # float64[k], the distinct scores
    recall: np.ndarray  # of the good documents, the share kept
    false_positive_rate: np.ndarray  # of the bad ones
    precision: np.ndarray  # of those kept, the share that is good

    @classmethod
    def from_scores(cls, good: np.ndarray, bad: np.ndarray) -> "RocCurve":
        """Scores of good and of bad documents, at least one each."""
        scores = np.concatenate((good, bad))
        order = np.argsort(-scores, kind="stable")
        last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of equal scores all are kept, or none
        kept_good = np.cumsum(order < good.size)[last]
        kept = last + 1
        return cls(scores[order][last], kept_good / good.size, (kept - kept_good) / bad.size, kept_good / kept)

    def auc(self) -> float:
        """Under the ROC curve: the probability that a good document scores higher than a bad one; ties count half."""
        return float(np.trapezoid([0.0, *self.recall], [0.0, *self.false_positive_rate]))

    def average_precision(self) -> float:
        """The area under the precision-recall curve, as steps."""
        return float(np.sum(np.diff(self.recall, prepend=0) * self.precision))

    def youden_threshold(self) -> float:
        """The threshold at which recall is furthest above the share of bad documents kept (Youden 1950).

        It does not depend on how many good and bad documents there are. Of several, the highest.
        """
        return float(self.thresholds[np.argmax(self.recall - self.false_positive_rate)])

    def at(self, threshold: float) -> dict[str, float]:
        """What a cut keeps."""
        at = np.searchsorted(-self.thresholds, -threshold, side="right") - 1
        if at < 0:
            return {"recall": 0.0, "false_positive_rate": 0.0, "precision": 1.0}
        return {name: float(getattr(self, name)[at]) for name in ("recall", "false_positive_rate", "precision")}
