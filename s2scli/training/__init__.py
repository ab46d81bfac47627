"""Loss, optimizer, schedule, the loop, checkpoints."""
