"""How others name and lay out the weights of a GPT: one module each, with the same four functions.

``config_of(shape)`` is their ``config.json`` for our shape, ``shape_of(config, where)`` the way back; ``export(shape,
weights)`` and ``load(shape, tensors)`` do the same for weights, as pairs of name and tensor.
"""
