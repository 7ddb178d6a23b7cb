"""The spine of the room: what a filter is, measuring, deciding, language profiles, sampling by id."""
