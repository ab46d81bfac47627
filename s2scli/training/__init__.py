"""Training: loss, optimizer, schedule, training loop and checkpoints."""
