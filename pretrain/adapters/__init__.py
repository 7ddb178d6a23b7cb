"""Parameter-efficient fine-tuning: the model's own weights are frozen, and few new ones are trained."""
