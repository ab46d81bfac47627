"""The neural network: front end, encoder, connection, attention, decoder."""
