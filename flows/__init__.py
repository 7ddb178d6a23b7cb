"""Who runs when: plans, Prefect flows, reports and the ``gristmill`` command."""
