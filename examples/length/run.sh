#!/bin/sh
# Train three models to copy sequences, and test them on longer and longer ones.
#
#     sh examples/length/run.sh [WORKSPACE [STEPS]]
set -eu
here=$(dirname "$0")
S2S_WORKSPACE=${1:-workspace/length}
export S2S_WORKSPACE

python "$here/make_copies.py" "$S2S_WORKSPACE/copies"
s2s prepare --overwrite "$S2S_WORKSPACE/copies/train.tsv" \
    --valid "$S2S_WORKSPACE/copies/valid.tsv" --test "$S2S_WORKSPACE/copies/test.tsv"
s2s compare "$here/fixed.toml" "$here/attention.toml" "$here/transformer.toml" \
    --max-steps "${2:-1500}" --beam-size 1 --exact-match
python "$here/plot.py" "$S2S_WORKSPACE" > "$S2S_WORKSPACE/length.svg"
echo "the plot: $S2S_WORKSPACE/length.svg"
