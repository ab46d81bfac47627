#!/bin/sh
# Multi30k, English to German: scores of the recipes, the gain from pre-training, from R-Drop and
# SimCut, and from settings for little data, and documents.
#
#     sh examples/multi30k/run.sh RAW scores|tokenised|pretraining|consistency|little|documents \
#         [WORKSPACE [MINUTES]]
#
# RAW is a folder with {train,val,test_2016_flickr}.{en,de}.gz of data/task1/raw of
# https://github.com/multi30k/dataset (its terms: non-commercial research and education).
# MINUTES is the time of each training of consistency, 10 by default. If you stop it, run it again to
# resume.
set -eu
raw=$1 here=$(dirname "$0")
work=${3:-workspace/multi30k} minutes=${4:-10}
mkdir -p "$work/text"

# prepare WORKSPACE FOLDER SUFFIX: prepare the three splits in a folder
prepare() {
    test -d "$1/corpus" || s2s prepare -w "$1" "$2/train.en$3" "$2/train.de$3" \
        --valid "$2/val.en$3" --valid "$2/val.de$3" \
        --test "$2/test_2016_flickr.en$3" --test "$2/test_2016_flickr.de$3"
}

case $2 in
scores)
    prepare "$work/raw" "$raw" .gz
    s2s compare -w "$work/raw" default transformer-tiny bahdanau2015 --max-minutes 30 --patience 0 \
        --set training.metric=bleu --set training.ema_decay=0.999
    s2s evaluate -w "$work/raw" --bleu \
        -m "$work/raw/compare/default/model" -m "$work/raw/compare/transformer-tiny/model"
    ;;
tokenised)
    for side in en de; do
        for split in train val test_2016_flickr; do
            gzip -dc "$raw/$split.$side.gz" |
                python "$here/tokenize_moses.py" $side > "$work/text/$split.$side"
        done
    done
    prepare "$work/tokenised" "$work/text" ""
    test -d "$work/tokenised/tokenizer" ||
        s2s train-tokenizer -w "$work/tokenised" --vocab-size 10000
    s2s train -w "$work/tokenised" --recipe transformer-tiny --max-minutes 60 \
        --set training.metric=bleu --set training.limits.patience=0 \
        --set training.validate_every=500 --set training.batch_tokens=4096 \
        --set training.schedule.warmup_steps=1000 \
        --set model.encoder.dropout=0.25 --set model.decoder.dropout=0.25
    s2s evaluate -w "$work/tokenised" --bleu --tokenize none
    ;;
pretraining)
    gzip -dc "$raw/train.de.gz" | tr '\t' ' ' > "$work/text/german.txt"
    gzip -dc "$raw/val.de.gz" > "$work/text/german.val.txt"
    for side in en de; do
        gzip -dc "$raw/train.$side.gz" | sed 2000q > "$work/text/few.$side"
    done
    s2s prepare --overwrite -w "$work/german" "$work/text/german.txt" --valid "$work/text/german.val.txt"
    s2s train -w "$work/german" --recipe denoising --max-minutes 5
    for begin in nothing german; do
        s2s prepare --overwrite -w "$work/from-$begin" "$work/text/few.en" "$work/text/few.de" \
            --valid "$raw/val.en.gz" --valid "$raw/val.de.gz" \
            --test "$raw/test_2016_flickr.en.gz" --test "$raw/test_2016_flickr.de.gz"
        from=""
        test $begin = nothing || from="--init-from $work/german/model"
        # shellcheck disable=SC2086  # two words or none
        s2s train -w "$work/from-$begin" --recipe transformer-tiny $from --max-minutes 2.5 \
            --set training.metric=bleu --set training.validate_every=150 \
            --set training.validation_examples=400
        s2s evaluate -w "$work/from-$begin" --bleu
    done
    ;;
consistency)
    for side in en de; do
        gzip -dc "$raw/train.$side.gz" | sed 5000q > "$work/text/some.$side"
        gzip -dc "$raw/val.$side.gz" > "$work/text/val.$side"
    done
    # both directions, for Bi-SimCut (Gao et al. 2022)
    for split in some val; do
        paste "$work/text/$split.en" "$work/text/$split.de" > "$work/text/$split.tsv"
        paste "$work/text/$split.de" "$work/text/$split.en" >> "$work/text/$split.tsv"
    done
    s2s prepare --overwrite -w "$work/both" "$work/text/some.tsv" --valid "$work/text/val.tsv"
    s2s train -w "$work/both" -r default --max-minutes $((minutes / 2)) --set training.simcut=3
    for way in plain r-drop simcut bi-simcut; do
        time=$minutes
        s2s prepare --overwrite -w "$work/$way" "$work/text/some.en" "$work/text/some.de" \
            --valid "$work/text/val.en" --valid "$work/text/val.de"
        case $way in
        plain) options="-r default" ;;
        r-drop) options="-r default --set training.r_drop=5" ;;
        simcut) options="-r default --set training.simcut=3" ;;
        bi-simcut) options="--init-from $work/both/model" time=$((minutes / 2)) ;;
        esac
        # shellcheck disable=SC2086  # several words
        s2s train -w "$work/$way" $options --max-minutes "$time" \
            --set training.limits.patience=0
        s2s evaluate -w "$work/$way" --split valid --bleu --chrf
    done
    ;;
little)
    for side in en de; do
        gzip -dc "$raw/train.$side.gz" | sed 2000q > "$work/text/few.$side"
    done
    for way in plain label-smoothing word-dropout fewer-pieces; do
        s2s prepare --overwrite -w "$work/little-$way" "$work/text/few.en" "$work/text/few.de" \
            --valid "$raw/val.en.gz" --valid "$raw/val.de.gz"
        smoothing=0.1 options=""
        case $way in
        label-smoothing) smoothing=0.3 ;;
        word-dropout) options="--set training.source_token_dropout=0.2 --set training.target_token_dropout=0.2" ;;
        fewer-pieces) s2s train-tokenizer -w "$work/little-$way" --vocab-size 1000 ;;
        esac
        # shellcheck disable=SC2086  # several words or none
        s2s train -w "$work/little-$way" -r default $options --max-steps 2500 \
            --set training.limits.patience=0 --set training.label_smoothing=$smoothing
        s2s evaluate -w "$work/little-$way" --split valid --bleu --chrf
    done
    ;;
documents)
    prepare "$work/documents" "$raw" .gz
    s2s train -w "$work/documents" --recipe transformer-tiny --max-minutes 10 \
        --set training.metric=bleu
    s2s translate -w "$work/documents" "$raw/test_2016_flickr.en.gz" -o "$work/text/test.out"
    for side in en de; do
        gzip -dc "$raw/test_2016_flickr.$side.gz" > "$work/text/test.$side"
    done
    (cd "$work/text" && paste test.en test.de test.out > all.tsv)
    # without a mark at the end of a sentence, it cannot be told from the next one
    awk -F '\t' '$1 ~ /[.!?]$/' "$work/text/all.tsv" > "$work/text/marked.tsv"
    for text in "$work/text/marked" "$work/text/all"; do
        for column in 1 2 3; do
            cut -f $column "$text.tsv" | python "$here/documents.py" join 10 > "$text.$column"
        done
        s2s translate -w "$work/documents" --unit line "$text.1" -o "$text.line"
        s2s translate -w "$work/documents" --unit sentence "$text.1" -o "$text.sentence"
        # a blank line ends a paragraph of a document
        sed G "$text.1" | s2s translate -w "$work/documents" --unit document |
            sed '/^$/d' > "$text.document"
        for found in 3 sentence document line; do
            echo "== $text.$found"
            python "$here/documents.py" count "$text.3" "$text.$found"
            s2s evaluate --bleu --hypothesis "$text.$found" --reference "$text.2"
        done
    done
    ;;
*)
    echo "expected scores, tokenised, pretraining, consistency, little or documents, found $2" >&2
    exit 2
    ;;
esac
