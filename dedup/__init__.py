"""What needs the whole corpus: duplicates of documents, sentences, datasets. Imports only ``pipelines``."""
