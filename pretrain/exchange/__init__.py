"""Formats of other libraries for the weights of a GPT: one module per layout.

``to_config(shape)`` returns their ``config.json`` for our configuration, ``from_config`` the settings of our
configuration. ``export_weights(shape, weights)`` and ``import_weights(shape, tensors)`` yield names and tensors.
"""
