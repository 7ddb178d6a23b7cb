"""Flows: plans, engines, Prefect flows, reports and the ``gristmill`` command."""
