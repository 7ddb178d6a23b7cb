"""Report of a run as one HTML file, and its dataset card as a README."""
