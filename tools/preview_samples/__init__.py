"""Sample data for ``tools/preview.py``: each page of the product in the states that matter to the eye."""

from collections.abc import Iterator
from copy import deepcopy

from tools.preview_samples import docker, forms, jobs, library, lists, pipelines, system
from tools.preview_samples.frame import Sample


def samples() -> Iterator[Sample]:
    """Yield every sample, each time afresh: whoever gets one may change it."""
    for part in (jobs, lists, docker, forms, library, system, pipelines):
        for name, template, fields in part.PAGES:
            yield name, template, deepcopy(fields)
