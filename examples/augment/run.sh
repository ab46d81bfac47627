#!/bin/sh
# Multi30k, English to German, from 5,000 pairs: back-translation of 24,000 more German sentences, and
# noise in training.
#
#     sh examples/augment/run.sh RAW translation|noise [WORKSPACE]
#
# RAW is a folder with {train,val}.{en,de}.gz of data/task1/raw of https://github.com/multi30k/dataset
# (its terms: non-commercial research and education). Run translation first.
# If you stop it, run it again to resume.
set -eu
raw=$1 here=$(dirname "$0")
work=${3:-workspace/augment}
text=$work/text

# prepare WORKSPACE [OPTION...]: prepare a corpus and a tokenizer; all scores are of the valid split
prepare() {
    to=$1
    shift
    test -d "$to/tokenizer" && return
    s2s prepare --overwrite -w "$to" "$@" --valid "$text/val.tsv" --test "$text/val.tsv"
    s2s train-tokenizer -w "$to" --vocab-size 2000
}

train() {
    to=$1
    shift
    s2s train -w "$to" -r "$here/small.toml" "$@"
}

case $2 in
translation)
    mkdir -p "$text"
    for split in train val; do
        for side in en de; do
            gzip -dc "$raw/$split.$side.gz" | tr '\t' ' ' > "$text/$split.$side"
        done
        paste "$text/$split.en" "$text/$split.de" > "$text/$split.tsv"
    done
    sed 5000q "$text/train.tsv" > "$text/some.tsv"
    sed 1,5000d "$text/train.de" > "$text/more.de"

    prepare "$work/base" "$text/some.tsv"
    train "$work/base" --max-steps 4000
    prepare "$work/reverse" --swap "$text/some.tsv"
    train "$work/reverse" --max-steps 4000

    test -f "$text/augmented.tsv" ||
        s2s augment "$text/more.de" -m "$work/reverse/model" --beam-size 1 --window 2048 \
            --with "$text/some.tsv" -o "$text/augmented.tsv" --resume
    prepare "$work/augmented" "$text/augmented.tsv"
    train "$work/augmented" --max-steps 4000

    for way in reverse base augmented; do
        s2s evaluate -w "$work/$way" --split valid --bleu --chrf
    done
    ;;
noise)
    prepare "$work/noise" "$text/some.tsv"
    train "$work/noise" --max-steps 4000 \
        --set training.noise.typos=0.1 --set training.noise.case=0.1 --set training.noise.drop=0.1 \
        --set training.noise.swap=0.1 --set training.noise.unknown=0.1
    for way in base noise; do
        s2s evaluate -w "$work/$way" --split valid --bleu --noise typos,case,drop,swap,unknown
    done
    ;;
*)
    echo "expected translation or noise, found $2" >&2
    exit 2
    ;;
esac
