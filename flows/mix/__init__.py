"""gristmill mix: shares of sources chosen by the loss of proxy models."""
