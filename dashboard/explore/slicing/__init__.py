"""What the panels of slices and of operating points show: plain data, no Gradio."""
