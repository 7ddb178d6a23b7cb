"""How text is held and moved: readers, shards, manifests, steps. Imports none of the other rooms."""
