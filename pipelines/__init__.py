"""Text in memory and on disk: readers, shards, manifests, steps. Imports none of the other rooms."""
