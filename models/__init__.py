"""Model families. One line each; a family is one file in this package."""

from __future__ import annotations

import os

# Torch's threads else spin while they wait for one another, and take the cores from the threads that decode pictures:
# on a busy machine everything becomes ten times slower. OpenMP reads this when it is loaded, so it has to be set here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from dashboard.registry import Registry
from models.base import ModelFamily

_OBJECTS = ("detection", "instance-segmentation")
_PIXELS = "semantic-segmentation"
_PICTURES = "enhancement"
MODELS: Registry[ModelFamily] = Registry("model family")
MODELS.register("demo-digits", "models.demo.digits:DemoDigits", task="classification")
MODELS.register("efficientnet-lite", "models.efficientnet_lite:EfficientNetLite", task="classification")
MODELS.register("timm", "models.timm_family:Timm", task="classification")
MODELS.register("torchvision", "models.torchvision_family:TorchvisionClassifiers", task="classification")
MODELS.register("torchvision-detection", "models.torchvision_detect:TorchvisionDetectors", task=_OBJECTS)
MODELS.register("torchvision-segmentation", "models.torchvision_segment:TorchvisionSegmenters", task=_PIXELS)
MODELS.register("ultralytics", "models.ultralytics_family:Ultralytics", task=("classification", *_OBJECTS, _PIXELS))
MODELS.register("transformers", "models.transformers_family:Transformers", task=("detection", _PIXELS))
MODELS.register("demo-scenes", "models.demo.scenes:DemoScenes", task=_OBJECTS)
MODELS.register("demo-scenes-semantic", "models.demo.scenes_semantic:DemoScenesSemantic", task=_PIXELS)
MODELS.register("demo-photos", "models.demo.photos:DemoPhotos", task=_PICTURES)
MODELS.register("classical", "models.classical:Classical", task=_PICTURES)
MODELS.register("spandrel", "models.spandrel_family:Spandrel", task=_PICTURES)
MODELS.register("onnx", "models.onnx_family:Onnx", task=("classification", *_OBJECTS, _PIXELS, _PICTURES))
MODELS.register("tracking", "models.tracking:Tracking", task="tracking")
MODELS.register("state-dict", "models.state_dict:StateDict", task=("classification", _PIXELS))
