"""The quality classifier filter, and the ROC curve that chooses its threshold."""
