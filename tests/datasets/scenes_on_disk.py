"""A few pictures with two objects each, written in each detection format: the same truth in all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.datasets.pictures import write

NAMES = ("cat", "dog")
HEIGHT, WIDTH = 24, 32  # of tests.datasets.pictures.gradient
# Picture: (class, left, top, right, bottom) of each object, in pixels from 0, half-open.
OBJECTS: dict[str, list[tuple[int, int, int, int, int]]] = {
    "1.jpg": [(0, 2, 3, 10, 12), (1, 8, 6, 24, 18)],
    "2.jpg": [(1, 0, 0, 32, 24)],
    "3.jpg": [],
    "10.jpg": [(0, 4, 4, 8, 8), (0, 16, 12, 20, 20)],
}


def coco_dict() -> dict[str, Any]:
    """COCO's instances, with ids that begin at 0, and gaps."""
    annotations = []
    for image, objects in enumerate(OBJECTS.values()):
        for label, left, top, right, bottom in objects:
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": image * 7,
                    "category_id": label * 3,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": 0,
                    "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
                }
            )
    images = [{"id": i * 7, "file_name": name, "height": HEIGHT, "width": WIDTH} for i, name in enumerate(OBJECTS)]
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i * 3, "name": name} for i, name in enumerate(NAMES)],
    }


def write_pictures(folder: Path) -> None:
    for i, name in enumerate(OBJECTS):
        write(folder / name, i)


def make_coco(root: Path, change: Any = None) -> Path:
    """annotations/instances.json and images/. ``change`` may spoil the JSON's dict."""
    write_pictures(root / "images")
    data = coco_dict()
    if change is not None:
        change(data)
    (root / "annotations").mkdir()
    file = root / "annotations" / "instances.json"
    file.write_text(json.dumps(data))
    return file


def yolo_line(label: int, left: int, top: int, right: int, bottom: int, polygon: bool = False) -> str:
    if polygon:
        points = (left, top, right, top, right, bottom, left, bottom)
        cells = [v / (WIDTH, HEIGHT)[i % 2] for i, v in enumerate(points)]
    else:
        cells = [(left + right) / 2 / WIDTH, (top + bottom) / 2 / HEIGHT]
        cells += [(right - left) / WIDTH, (bottom - top) / HEIGHT]
    return " ".join([str(label), *map(repr, cells)])


def make_yolo(root: Path, polygons: bool = True) -> None:
    """data.yaml, images/val and labels/val."""
    write_pictures(root / "images" / "val")
    (root / "labels" / "val").mkdir(parents=True)
    for name, objects in OBJECTS.items():
        if objects:
            text = "".join(yolo_line(*o, polygon=polygons) + "\n" for o in objects)
            (root / "labels" / "val" / name.replace(".jpg", ".txt")).write_text(text)
    (root / "data.yaml").write_text(f"path: .\ntrain: images/train\nval: images/val\nnames: {list(NAMES)}\n")


def make_darknet(root: Path) -> None:
    """obj.names, and pictures and labels side by side."""
    write_pictures(root / "obj_train_data")
    (root / "obj.names").write_text("\n".join(NAMES) + "\n")
    for name, objects in OBJECTS.items():
        text = "".join(yolo_line(*o) + "\n" for o in objects)
        (root / "obj_train_data" / name.replace(".jpg", ".txt")).write_text(text)


def voc_object(name: str, left: float, top: float, right: float, bottom: float, extra: str = "") -> str:
    """Its edges."""
    box = f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
    return f"<object><name>{name}</name>{extra}<bndbox>{box}</bndbox></object>"


def voc_xml(filename: str, objects: str, size: bool = True) -> str:
    said = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>" if size else ""
    return f"<annotation><filename>{filename}</filename>{said}{objects}</annotation>"


def make_voc(root: Path) -> None:
    """Annotations/ and JPEGImages/."""
    write_pictures(root / "JPEGImages")
    (root / "Annotations").mkdir(parents=True)
    for name, objects in OBJECTS.items():
        text = "".join(voc_object(NAMES[label], *box) for label, *box in objects)
        (root / "Annotations" / name.replace(".jpg", ".xml")).write_text(voc_xml(name, text))
