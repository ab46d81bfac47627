#!/bin/sh
# Train a model on dates in 53 languages, score it on held-out dates, and show its attention.
#
#     sh examples/dates/run.sh [WORKSPACE]
set -eu
here=$(dirname "$0")
S2S_WORKSPACE=${1:-workspace/dates}
export S2S_WORKSPACE

s2s prepare --overwrite "$here/train.tsv.gz" --valid "$here/valid.tsv.gz" --test "$here/test.tsv.gz"
s2s train --recipe "$here/dates.toml"
s2s evaluate
cat > "$S2S_WORKSPACE/input.txt" <<'DATES'
samedi 21 novembre 2026
November 21st, 2026
21 листопада 2026 р.
২১ নভেম্বর, ২০২৬
2026年11月21日(土)
DATES
s2s translate < "$S2S_WORKSPACE/input.txt" | paste "$S2S_WORKSPACE/input.txt" -
s2s inspect attention "samedi 21 novembre 2026"
