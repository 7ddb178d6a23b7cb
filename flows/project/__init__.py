"""From raw files to a model by one recipe: its sections, the stages that they ask for, and recipes for a start."""
