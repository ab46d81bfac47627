"""Put the pictures that `s2s translate -o FOLDER` wrote on one sheet.

python sheet.py FOLDER COLUMNS OUT.png
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from s2scli.data.codecs.picture_files import encode_png
from s2scli.report.picture import sheet


def main() -> None:
    """Read all pictures in the order of their numbers, and write the sheet."""
    folder, columns, out = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    files = sorted(folder.glob("*.png"), key=lambda file: [int(n) for n in file.stem.split("-")])
    pictures = [np.asarray(Image.open(file).convert("L"))[..., None] for file in files]
    out.write_bytes(encode_png(sheet(pictures, columns)))


if __name__ == "__main__":
    main()
