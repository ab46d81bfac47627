"""The command line: arguments in, one pipeline call, a table or JSON out."""
