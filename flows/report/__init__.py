"""What came of a run, for people: the report, one HTML file, and the dataset card, a README"""
