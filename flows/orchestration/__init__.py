"""Prefect flows, tasks and deployments."""
