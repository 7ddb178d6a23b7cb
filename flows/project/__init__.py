"""Projects, from raw files to a model by one recipe: its sections and stages, and recipes to start with."""
