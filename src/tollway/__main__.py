"""`python -m tollway` and the command `tollway`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback at any moment."""
    try:
        from tollway.cli import app

        app()
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
