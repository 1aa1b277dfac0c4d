"""The names of what a run directory holds."""

CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"
INPUTS = "inputs.json"
METRICS = "metrics.jsonl"
CHECKPOINT = "checkpoint"
AGENT = "agent"
FINISHED = "finished.json"
