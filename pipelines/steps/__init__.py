"""What a step is: jobs, resuming, corpus-wide stages, decisions, spans, applying both to documents."""
