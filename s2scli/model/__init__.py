"""The network: front end, encoder, connection, attention, decoder."""
