"""Cleaning: recipe, plan and run."""
