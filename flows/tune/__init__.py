"""gristmill tune: thresholds of a recipe chosen by the loss of proxy models."""
