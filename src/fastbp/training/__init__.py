"""Training over epochs: where samples come from, when to stop, what is kept and shown."""
