"""Documents with roles as tokens: templates put the markup around turns, and answers are what a model learns."""
