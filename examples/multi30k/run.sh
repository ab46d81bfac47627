#!/bin/sh
# Multi30k, English to German: scores of the recipes, the gain from data diversification, from
# pre-training, from R-Drop and SimCut, a fast student, a shortlist, and documents.
#
#     sh examples/multi30k/run.sh RAW MODE [WORKSPACE [MINUTES]]
#
# MODE is scores, diversified, student, tokenised, shortlist, pretraining, consistency or documents.
#
# RAW is a folder with {train,val,test_2016_flickr}.{en,de}.gz of data/task1/raw of
# https://github.com/multi30k/dataset (its terms: non-commercial research and education).
# MINUTES is the time of each training of consistency, 10 by default, of the last three of
# diversified, 40 by default, or of the student, 45 by default. If you stop it, run it again to resume.
set -eu
raw=$1 here=$(dirname "$0")
work=${3:-workspace/multi30k}
text=$work/text
mkdir -p "$text"

# prepare WORKSPACE FOLDER SUFFIX [OPTION...]: prepare the three splits in a folder
prepare() {
    to=$1 from=$2 suffix=$3
    shift 3
    test -d "$to/corpus" || s2s prepare -w "$to" "$from/train.en$suffix" "$from/train.de$suffix" \
        --valid "$from/val.en$suffix" --valid "$from/val.de$suffix" \
        --test "$from/test_2016_flickr.en$suffix" --test "$from/test_2016_flickr.de$suffix" "$@"
}

# write_tokenised: the sides of the three splits, as Moses tokenises them
write_tokenised() {
    for side in en de; do
        for split in train val test_2016_flickr; do
            gzip -dc "$raw/$split.$side.gz" |
                python "$here/tokenize_moses.py" $side > "$text/$split.$side"
        done
    done
}

# the three splits as TSV files, and their sides
write_pairs() {
    for split in train val test_2016_flickr; do
        for side in en de; do
            gzip -dc "$raw/$split.$side.gz" | tr '\t' ' ' > "$text/${split%%_*}.$side"
        done
        paste "$text/${split%%_*}.en" "$text/${split%%_*}.de" > "$text/${split%%_*}.tsv"
    done
}

case $2 in
scores)
    prepare "$work/raw" "$raw" .gz
    s2s compare -w "$work/raw" default transformer-tiny bahdanau2015 --max-minutes 30 --patience 0 \
        --set training.metric=bleu --set training.ema_decay=0.999
    s2s evaluate -w "$work/raw" --bleu \
        -m "$work/raw/compare/default/model" -m "$work/raw/compare/transformer-tiny/model"
    ;;
diversified)
    minutes=${4:-40}
    # Each caption in the words of two models: data diversification (Nguyen et al. 2020)
    prepare "$work/forward" "$raw" .gz
    prepare "$work/reverse" "$raw" .gz --swap
    for way in forward reverse; do
        test -d "$work/$way/tokenizer" || s2s train-tokenizer -w "$work/$way" --vocab-size 8000
    done
    s2s train -w "$work/forward" -r default --budget 25m --set training.metric=bleu
    s2s train -w "$work/reverse" -r transformer-tiny --budget 25m --set training.metric=bleu \
        --set model.encoder.dropout=0.2 --set model.decoder.dropout=0.2
    s2s evaluate -w "$work/forward" --split valid --bleu
    write_pairs
    test -f "$text/forward.tsv" || s2s augment "$text/train.en" --method forward-translate \
        -m "$work/forward/model" --window 2048 -o "$text/forward.tsv" --resume
    test -f "$text/reverse.tsv" || s2s augment "$text/train.de" --method back-translate --tag "" \
        -m "$work/reverse/model" --window 2048 -o "$text/reverse.tsv" --resume
    cat "$text/train.tsv" "$text/forward.tsv" "$text/reverse.tsv" > "$text/diversified.tsv"
    for model in default-1 default-2 default-3 transformer-tiny-1; do
        to=$work/diversified/$model
        test -d "$to/corpus" || s2s prepare -w "$to" "$text/diversified.tsv" \
            --valid "$text/val.tsv" --test "$text/test.tsv"
        test -d "$to/tokenizer" || s2s train-tokenizer -w "$to" --from "$work/forward/model"
        s2s train -w "$to" -r "${model%-*}" --seed "${model##*-}" --budget "${minutes}m" \
            --set training.metric=bleu
        s2s evaluate -w "$to" --split valid --bleu
    done
    for seed in 1 2 3; do
        s2s evaluate -w "$work/diversified/default-$seed" --bleu
    done
    # of the sets of these models, the best on the valid split
    s2s evaluate -w "$work/diversified/default-1" --bleu -m "$work/diversified/default-1/model" \
        -m "$work/diversified/default-3/model" -m "$work/diversified/transformer-tiny-1/model"
    ;;
student)
    minutes=${4:-45}
    # sequence-level knowledge distillation (Kim & Rush 2016): of a teacher's five translations, the one
    # nearest to the target, beside the target
    prepare "$work/teacher" "$raw" .gz
    s2s train -w "$work/teacher" -r default --budget 26m
    write_pairs
    test -f "$text/distilled.tsv" || s2s augment "$text/train.tsv" --method distil --nbest 5 \
        -m "$work/teacher/model" --window 2048 --with "$text/train.tsv" -o "$text/distilled.tsv" --resume
    to=$work/student
    test -d "$to/corpus" || s2s prepare -w "$to" "$text/distilled.tsv" \
        --valid "$text/val.tsv" --test "$text/test.tsv"
    test -d "$to/tokenizer" || s2s train-tokenizer -w "$to" --from "$work/teacher/model"
    s2s train -w "$to" -r tiny-student --budget "${minutes}m" \
        --set training.metric=bleu --set training.batch_tokens=2048
    s2s inspect alignment -w "$to" --shortlist
    # the score of the test split, and the speed on all sources of the train split
    translate() {
        s2s translate "$@" "$text/test.en" -o "$text/test.out"
        s2s evaluate --bleu --hypothesis "$text/test.out" --reference "$text/test.de"
        s2s translate "$@" -v "$text/train.en" -o "$text/train.out"
    }
    translate -w "$work/teacher"
    translate -w "$to"
    translate -w "$to" --int8
    translate -w "$to" --int8 --shortlist
    ;;
tokenised)
    write_tokenised
    prepare "$work/tokenised" "$text" ""
    test -d "$work/tokenised/tokenizer" ||
        s2s train-tokenizer -w "$work/tokenised" --vocab-size 10000
    s2s train -w "$work/tokenised" --recipe transformer-tiny --max-minutes 60 \
        --set training.metric=bleu --set training.limits.patience=0 \
        --set training.validate_every=500 --set training.batch_tokens=4096 \
        --set training.schedule.warmup_steps=1000 \
        --set model.encoder.dropout=0.25 --set model.decoder.dropout=0.25
    s2s evaluate -w "$work/tokenised" --bleu --tokenize none
    ;;
shortlist)
    # what a shortlist of the model's own alignments costs on the valid split, lower-cased and tokenised
    write_tokenised
    to=$work/shortlist
    prepare "$to" "$text" ""
    test -d "$to/tokenizer" || s2s train-tokenizer -w "$to" --vocab-size 8000
    s2s train -w "$to" -r default --budget 25m --set training.metric=bleu
    s2s inspect alignment -w "$to" --shortlist
    for beam in 5 1; do
        for choice in "" --shortlist; do
            # shellcheck disable=SC2086  # one word or none
            s2s translate -w "$to" --beam-size $beam $choice -v "$text/val.en" -o "$text/val.out"
            s2s evaluate --bleu --tokenize none --hypothesis "$text/val.out" --reference "$text/val.de"
        done
    done
    ;;
pretraining)
    gzip -dc "$raw/train.de.gz" | tr '\t' ' ' > "$text/german.txt"
    gzip -dc "$raw/val.de.gz" > "$text/german.val.txt"
    for side in en de; do
        gzip -dc "$raw/train.$side.gz" | sed 2000q > "$text/few.$side"
    done
    s2s prepare --overwrite -w "$work/german" "$text/german.txt" --valid "$text/german.val.txt"
    s2s train -w "$work/german" --recipe denoising --max-minutes 5
    for begin in nothing german; do
        s2s prepare --overwrite -w "$work/from-$begin" "$text/few.en" "$text/few.de" \
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
    minutes=${4:-10}
    for side in en de; do
        gzip -dc "$raw/train.$side.gz" | sed 5000q > "$text/some.$side"
        gzip -dc "$raw/val.$side.gz" > "$text/val.$side"
    done
    # both directions, for Bi-SimCut (Gao et al. 2022)
    for split in some val; do
        paste "$text/$split.en" "$text/$split.de" > "$text/$split.tsv"
        paste "$text/$split.de" "$text/$split.en" >> "$text/$split.tsv"
    done
    s2s prepare --overwrite -w "$work/both" "$text/some.tsv" --valid "$text/val.tsv"
    s2s train -w "$work/both" -r default --max-minutes $((minutes / 2)) --set training.simcut=3 \
        --set training.label_smoothing=0.1
    for way in plain r-drop simcut bi-simcut; do
        time=$minutes
        s2s prepare --overwrite -w "$work/$way" "$text/some.en" "$text/some.de" \
            --valid "$text/val.en" --valid "$text/val.de"
        case $way in
        plain) options="-r default" ;;
        r-drop) options="-r default --set training.r_drop=5" ;;
        simcut) options="-r default --set training.simcut=3" ;;
        bi-simcut) options="--init-from $work/both/model" time=$((minutes / 2)) ;;
        esac
        # shellcheck disable=SC2086  # several words
        s2s train -w "$work/$way" $options --max-minutes "$time" \
            --set training.limits.patience=0 --set training.label_smoothing=0.1
        s2s evaluate -w "$work/$way" --split valid --bleu --chrf
    done
    ;;
documents)
    prepare "$work/documents" "$raw" .gz
    s2s train -w "$work/documents" --recipe transformer-tiny --max-minutes 10 \
        --set training.metric=bleu
    s2s translate -w "$work/documents" "$raw/test_2016_flickr.en.gz" -o "$text/test.out"
    for side in en de; do
        gzip -dc "$raw/test_2016_flickr.$side.gz" > "$text/test.$side"
    done
    (cd "$text" && paste test.en test.de test.out > all.tsv)
    # without a mark at the end of a sentence, it cannot be told from the next one
    awk -F '\t' '$1 ~ /[.!?]$/' "$text/all.tsv" > "$text/marked.tsv"
    for part in "$text/marked" "$text/all"; do
        for column in 1 2 3; do
            cut -f $column "$part.tsv" | python "$here/documents.py" join 10 > "$part.$column"
        done
        s2s translate -w "$work/documents" --unit line "$part.1" -o "$part.line"
        s2s translate -w "$work/documents" --unit sentence "$part.1" -o "$part.sentence"
        # a blank line ends a paragraph of a document
        sed G "$part.1" | s2s translate -w "$work/documents" --unit document |
            sed '/^$/d' > "$part.document"
        for found in 3 sentence document line; do
            echo "== $part.$found"
            python "$here/documents.py" count "$part.3" "$part.$found"
            s2s evaluate --bleu --hypothesis "$part.$found" --reference "$part.2"
        done
    done
    ;;
*)
    echo "expected scores, diversified, student, tokenised, shortlist, pretraining, consistency or" \
        "documents, found $2" >&2
    exit 2
    ;;
esac
