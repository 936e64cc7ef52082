"""Dataset formats and built-in datasets. One line each; ``open_dataset`` recognises a path or takes ``demo:NAME``."""

from __future__ import annotations

from dashboard.datasets.base import Dataset, DatasetFormat
from dashboard.registry import Registry

DATASETS: Registry[DatasetFormat] = Registry("dataset format")
DATASETS.register("imagefolder", "dashboard.datasets.imagefolder:ImageFolder", task="classification")
DATASETS.register("csv", "dashboard.datasets.csv_labels:CsvLabels", task="classification")
DATASETS.register("coco", "dashboard.datasets.coco:Coco", task=("detection", "instance-segmentation"))
DATASETS.register("yolo", "dashboard.datasets.yolo:Yolo", task=("detection", "instance-segmentation"))
DATASETS.register("voc", "dashboard.datasets.voc:Voc", task="detection")
DATASETS.register("masks", "dashboard.datasets.masks_folder:Masks", task="semantic-segmentation")
DATASETS.register("paired", "dashboard.datasets.paired:Paired", task="enhancement")
DATASETS.register("images", "dashboard.datasets.clean_images:CleanImages", task="enhancement")
DATASETS.register("mot", "dashboard.datasets.mot:Mot", task="tracking")
DATASETS.register("video", "dashboard.datasets.video:Video", task="tracking")

_PICTURES = ("detection", "instance-segmentation", "semantic-segmentation")
DEMOS: Registry[type[Dataset]] = Registry("built-in dataset")
DEMOS.register("digits", "dashboard.datasets.digits:Digits", task="classification")
DEMOS.register("scenes", "dashboard.datasets.scenes:Scenes", task=_PICTURES)
DEMOS.register("photos", "dashboard.datasets.photos:Photos", task="enhancement")
DEMOS.register("tracks", "dashboard.datasets.tracks:DemoTracks", task="tracking")
