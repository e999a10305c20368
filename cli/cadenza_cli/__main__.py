"""`python -m cadenza_cli` is `cadenza`."""

from cadenza_cli.main import main

if __name__ == "__main__":
    main()
