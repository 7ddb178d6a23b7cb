"""Recipes from raw files to a model: their sections and stages, recipes to start with, descriptions of settings."""
