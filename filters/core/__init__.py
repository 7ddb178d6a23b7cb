"""Base classes of filters, measuring, deciding, language profiles, sampling by id."""
