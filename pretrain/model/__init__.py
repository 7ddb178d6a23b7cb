"""The GPT, the LSTM, their configuration, loss and devices."""
