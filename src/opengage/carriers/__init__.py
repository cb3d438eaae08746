"""How a text reaches a network: each carrier translates and returns an Outcome, nothing else."""
