"""N-gram language models: counted by sorting, smoothed by modified Kneser-Ney, stored in one mapped file."""
