#!/bin/sh
# Train a variational autoencoder on a file with one sentence per line, and generate sentences.
#
#     sh examples/vae/run.sh SENTENCES [WORKSPACE]
set -eu
S2S_WORKSPACE=${2:-workspace/vae}
export S2S_WORKSPACE

s2s prepare --overwrite --one-column "${1:?give a file with one sentence per line}"
s2s train --recipe vae --max-minutes 20
s2s evaluate --exact-match
echo "reconstructions:"
shuf -n 5 "$1" > "$S2S_WORKSPACE/some.txt"
s2s translate < "$S2S_WORKSPACE/some.txt" | paste "$S2S_WORKSPACE/some.txt" -
echo "samples:"
s2s generate --count 10
echo "from one sentence to another:"
s2s generate --between "$(sed -n 1p "$S2S_WORKSPACE/some.txt")" "$(sed -n 2p "$S2S_WORKSPACE/some.txt")"
