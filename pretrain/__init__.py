"""Ids to a model: the GPT, its trainer and the data-impact experiments. The only room that imports torch."""
