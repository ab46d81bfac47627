#!/bin/sh
# From Elman to Vaswani: train each recipe on one corpus for the same time, and print one table.
#
#     sh examples/history/run.sh CORPUS.tsv [MINUTES [WORKSPACE]]
#
# If you stop it, run it again to resume.
set -eu
corpus=$1
minutes=${2:-4}
S2S_WORKSPACE=${3:-workspace/history}
export S2S_WORKSPACE

# variant NAME RECIPE CHANGE...: write a changed recipe as a new recipe file
variant() {
    file="$S2S_WORKSPACE/$1.toml" recipe=$2 name=$1
    shift 2
    s2s inspect recipe "$recipe" --set "name=$name" "$@" --toml > "$file"
}

test -d "$S2S_WORKSPACE/corpus" || s2s prepare "$corpus"
variant elman-gru elman --set model.encoder.kind=gru --set model.decoder.kind=gru
variant keras-lstm-reversed keras-lstm --set model.encoder.reverse=true
variant bahdanau2015-elman bahdanau2015 \
    --set model.encoder.kind=elman --set model.decoder.kind=elman
s2s compare --max-minutes "$minutes" \
    elman "$S2S_WORKSPACE/elman-gru.toml" \
    keras-lstm "$S2S_WORKSPACE/keras-lstm-reversed.toml" \
    cho2014 sutskever2014 \
    "$S2S_WORKSPACE/bahdanau2015-elman.toml" bahdanau2015 luong2015 \
    transformer-tiny default
