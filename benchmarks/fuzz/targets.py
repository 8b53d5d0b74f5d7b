"""All targets by name."""

from __future__ import annotations

from importlib.util import find_spec

from fuzz import of_audio, of_core, of_graph, of_segmentation, of_text
from fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (of_core, of_graph, of_text, of_audio, of_segmentation)
    for target in module.TARGETS
    if not target.needs or find_spec(target.needs)
}
