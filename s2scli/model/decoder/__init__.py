"""What writes the target."""
