#!/bin/sh
# Settings for little data, one at a time: label smoothing, word dropout, BPE-dropout, the number of pieces.
#
#     sh examples/little/run.sh TRAIN.tsv VALID.tsv PAIRS [WORKSPACE [WAY...]]
#
# The first PAIRS rows of TRAIN.tsv are learned in each way, with 2,000 updates, and VALID.tsv is scored: a
# source, a TAB and a target in each row. WAY is plain, label-smoothing-0.3, pieces-1000 (or other
# numbers), word-dropout or bpe-dropout. If you stop it, run it again to resume.
set -eu
train=$1 valid=$2 pairs=$3 work=${4:-workspace/little}
shift 3
test $# = 0 || shift
test $# -gt 0 || set -- plain label-smoothing-0.3 label-smoothing-0.5 word-dropout bpe-dropout pieces-1000
mkdir -p "$work"
sed "${pairs}q" "$train" | cut -f 1,2 > "$work/few-$pairs.tsv"
cut -f 1,2 "$valid" > "$work/valid.tsv"

for way in "$@"; do
    to=$work/$pairs-$way
    test -d "$to/corpus" || s2s prepare -w "$to" "$work/few-$pairs.tsv" \
        --valid "$work/valid.tsv" --test "$work/valid.tsv" # else a tenth would be the test split
    smoothing=0.1 options=""
    case $way in
    plain) ;;
    label-smoothing-*) smoothing=${way##*-} ;;
    word-dropout) options="--set training.source_token_dropout=0.2 --set training.target_token_dropout=0.2" ;;
    bpe-dropout) options="--set training.bpe_dropout=0.1" ;;
    pieces-*) test -d "$to/tokenizer" || s2s train-tokenizer -w "$to" --vocab-size "${way##*-}" ;;
    *)
        echo "expected plain, label-smoothing-0.3, pieces-1000, word-dropout or bpe-dropout, found $way" >&2
        exit 2
        ;;
    esac
    # shellcheck disable=SC2086  # several words or none
    s2s train -w "$to" -r default $options --max-steps 2000 \
        --set training.limits.patience=0 --set training.label_smoothing=$smoothing
    echo "== $pairs pairs, $way"
    s2s evaluate -w "$to" --split valid --bleu --chrf
done
