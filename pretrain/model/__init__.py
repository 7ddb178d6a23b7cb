"""The GPT, recurrent networks, their configuration, loss and devices."""
