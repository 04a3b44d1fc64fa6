"""``python -m coordinator`` and the console command."""

from coordinator.cli import main

if __name__ == "__main__":
    main()
