"""Which step of a recipe helped, by how much, and how sure: plan, run and report of an experiment on the data."""
