"""The server: LibreTranslate's interface, transcriptions, and a page to try models in."""
