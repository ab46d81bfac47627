"""Exports of models to other programs, with one module for each program."""
