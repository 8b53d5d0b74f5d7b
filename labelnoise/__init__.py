"""Find wrong labels, simulate them, train models that survive them: one core, four modalities.

Import what you need from the rooms: ``labelnoise.core`` for plain arrays, ``labelnoise.graph`` for node
classification. Importing this package loads neither torch nor any modality.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
