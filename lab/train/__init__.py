"""Training of the lab's models, one command each."""
