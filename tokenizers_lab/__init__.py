"""Text to ids: trainers, encoders, exports, comparison. Imports only ``pipelines``."""
