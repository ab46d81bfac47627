"""What turns token ids (later: sound, pixels) into vectors."""
