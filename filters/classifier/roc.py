"""ROC and precision-recall curves of scores on good and bad documents, their areas, and the best threshold."""

from typing import NamedTuple

import numpy as np


class RocCurve(NamedTuple):
    """Shares of documents kept at each threshold, which keeps documents that score as high or higher."""

    thresholds: np.ndarray  # float64[k], the distinct scores, falling
    recall: np.ndarray  # float64[k]: share of the good documents kept
    false_positive_rate: np.ndarray  # float64[k]: share of the bad documents kept
    precision: np.ndarray  # float64[k]: share of good documents among the kept

    @classmethod
    def from_scores(cls, good: np.ndarray, bad: np.ndarray) -> "RocCurve":
        """Compute the curve from scores of good and bad documents, at least one each."""
        scores = np.concatenate((good, bad))
        order = np.argsort(-scores, kind="stable")
        last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # equal scores are kept together
        kept_good = np.cumsum(order < good.size)[last]
        kept = last + 1
        return cls(scores[order][last], kept_good / good.size, (kept - kept_good) / bad.size, kept_good / kept)

    def auc(self) -> float:
        """Return the area under the ROC curve: the probability that a good document outscores a bad one, ties half."""
        return float(np.trapezoid([0.0, *self.recall], [0.0, *self.false_positive_rate]))

    def average_precision(self) -> float:
        """Return the area under the precision-recall curve, as steps."""
        return float(np.sum(np.diff(self.recall, prepend=0) * self.precision))

    def youden_threshold(self) -> float:
        """Return the highest threshold that maximizes recall minus false positive rate (Youden 1950).

        It does not depend on the proportion of good and bad documents.
        """
        return float(self.thresholds[np.argmax(self.recall - self.false_positive_rate)])

    def at(self, threshold: float) -> dict[str, float]:
        """Return recall, false positive rate and precision at a threshold; precision is 1 if nothing is kept."""
        at = np.searchsorted(-self.thresholds, -threshold, side="right") - 1
        if at < 0:
            return {"recall": 0.0, "false_positive_rate": 0.0, "precision": 1.0}
        return {name: float(getattr(self, name)[at]) for name in ("recall", "false_positive_rate", "precision")}
