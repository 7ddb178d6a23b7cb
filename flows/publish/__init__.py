"""Clean documents for others: files of other formats, and datasets on the Hugging Face Hub."""
