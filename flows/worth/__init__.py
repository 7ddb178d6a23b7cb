"""gristmill worth: the worth of the documents that a rule alone removes, by the loss of proxy models."""
