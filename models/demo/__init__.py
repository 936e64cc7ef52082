"""Small models trained by this project, their weights (safetensors) and the scripts that trained them."""
