"""Documents of arms: which an arm holds, which a run reads, and how much of the text is distinct."""
