#!/bin/sh
# Settings for little data, one at a time: label smoothing, word dropout, fewer pieces.
#
#     sh examples/little/run.sh TRAIN.tsv VALID.tsv PAIRS [WORKSPACE [UPDATES]]
#
# The first PAIRS rows of TRAIN.tsv are learned, 2,500 updates each, and VALID.tsv is scored: a source, a
# TAB and a target in each row. If you stop it, run it again to resume.
set -eu
train=$1 valid=$2 pairs=$3 work=${4:-workspace/little} updates=${5:-2500}
mkdir -p "$work"
sed "${pairs}q" "$train" | cut -f 1,2 > "$work/few-$pairs.tsv"
cut -f 1,2 "$valid" > "$work/valid.tsv"

for way in plain label-smoothing-0.3 label-smoothing-0.5 word-dropout fewer-pieces; do
    to=$work/$pairs-$way
    test -d "$to/corpus" || s2s prepare -w "$to" "$work/few-$pairs.tsv" \
        --valid "$work/valid.tsv" --test "$work/valid.tsv" # else a tenth would be the test split
    smoothing=0.1 options=""
    case $way in
    label-smoothing-*) smoothing=${way##*-} ;;
    word-dropout) options="--set training.source_token_dropout=0.2 --set training.target_token_dropout=0.2" ;;
    fewer-pieces) test -d "$to/tokenizer" || s2s train-tokenizer -w "$to" --vocab-size 1000 ;;
    esac
    # shellcheck disable=SC2086  # several words or none
    s2s train -w "$to" -r default $options --max-steps "$updates" \
        --set training.limits.patience=0 --set training.label_smoothing=$smoothing
    echo "== $pairs pairs, $way"
    s2s evaluate -w "$to" --split valid --bleu --chrf
done
