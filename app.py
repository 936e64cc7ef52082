"""Loupe's app: ``python app.py`` opens it; a Hugging Face Space runs this file too."""

import argparse
import sys

from dashboard.cli import serve_options
from dashboard.errors import InputError
from dashboard.serve import serve


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(description="Loupe: what does my vision model get right and wrong?")
    serve_options(parser)
    parser.add_argument("--window", action="store_true", help="a window of its own instead of the browser (pywebview)")
    try:
        serve(parser.parse_args())
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
