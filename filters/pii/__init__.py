"""Personal data: scan for candidates, detect, replace, evaluate."""
