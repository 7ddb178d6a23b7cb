"""Certificates of finished work: everything that its bytes depend on, and the proof by making some of them again."""
