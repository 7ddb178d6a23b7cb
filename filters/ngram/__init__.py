"""An n-gram language model from scratch: counted by sort, smoothed by modified Kneser-Ney, kept in one mapped file."""
