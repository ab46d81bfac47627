"""Programs that feed bytes to readers for as long as one likes; run by hand."""
