"""What reads the source."""
