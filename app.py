"""Loupe's app: ``python app.py`` opens it; a Hugging Face Space runs this file too."""

import argparse

from dashboard.cli import serve_options
from dashboard.serve import serve


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description="Loupe: what does my vision model get right and wrong?")
    serve_options(parser)
    serve(parser.parse_args())


if __name__ == "__main__":
    main()
