"""Lab 3, problem 1.1: what initialization does to activations and gradients of five layers.

Two settings, after the two blogs that the problem names: ``ball`` is Godoy's (deepreplay),
``mnist`` is Perunicic's (intoli.com); ``digits`` is the latter on images that need no download.
Networks are looked at as they are born; nothing is trained.
"""
