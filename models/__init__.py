"""Model families. One line each; a family is one file in this package."""

from __future__ import annotations

from dashboard.registry import Registry
from models.base import ModelFamily

MODELS: Registry[ModelFamily] = Registry("model family")
MODELS.register("demo-digits", "models.demo.digits:DemoDigits", task="classification")
MODELS.register("efficientnet-lite", "models.efficientnet_lite:EfficientNetLite", task="classification")
MODELS.register("timm", "models.timm_family:Timm", task="classification")
MODELS.register("torchvision", "models.torchvision_family:TorchvisionClassifiers", task="classification")
MODELS.register("ultralytics", "models.ultralytics_family:UltralyticsClassifiers", task="classification")
MODELS.register("onnx", "models.onnx_family:Onnx", task="classification")
MODELS.register("state-dict", "models.state_dict:StateDict", task="classification")
