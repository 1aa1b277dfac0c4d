"""Online RL inside the imagined environment: networks, losses, agents and the training loop."""
