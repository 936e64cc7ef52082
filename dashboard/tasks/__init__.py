"""What differs between tasks when a model is run: one file a task, one line each here. Everything else is shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.registry import Registry

if TYPE_CHECKING:
    from dashboard.tasks.base import Task

TASKS: Registry[Task] = Registry("task")
TASKS.register("classification", "dashboard.tasks.classification:ClassificationTask")
TASKS.register("detection", "dashboard.tasks.detection:DetectionTask")
TASKS.register("instance-segmentation", "dashboard.tasks.detection:InstanceSegmentationTask")
TASKS.register("semantic-segmentation", "dashboard.tasks.segmentation:SegmentationTask")
TASKS.register("enhancement", "dashboard.tasks.enhancement:EnhancementTask")
TASKS.register("tracking", "dashboard.tasks.tracking:TrackingTask")


def task_of(name: str) -> Task:
    """The task called ``name``. Raises InputError with close names if there is none."""
    found = TASKS.get(name)
    return found() if isinstance(found, type) else found
