"""Fine-tuning of a pretrained model on labeled documents."""
