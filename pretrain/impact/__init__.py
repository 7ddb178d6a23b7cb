"""What a change of the data did to the loss: intervals, how to spend seeds, scaling fits. Numbers in, numbers out."""
