"""Language identification: models, preprocessing, evaluation, and the filter on it."""
