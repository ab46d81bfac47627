"""Run the command line: `s2s` and `python -m s2scli`."""


def main() -> None:
    """Run the `s2s` command."""
    from s2scli.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
