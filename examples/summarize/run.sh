#!/bin/sh
# Summaries: headlines of Japanese news, and one-sentence summaries of English abstracts.
#
#     sh examples/summarize/run.sh DATA baselines|jawikinews|scitldr [WORKSPACE [MINUTES]]
#
# DATA is a folder with jawikinews.short.tsv.gz (short/ of
# https://github.com/tm4roon/jawikinews-headline-dataset: article TAB headline) and
# scitldr.{train,dev,test}.tsv.gz, scitldr.{dev,test}.multi.tsv.gz (SciTLDR-A of
# https://github.com/allenai/scitldr: abstract TAB summary; .multi has a row for each summary).
# Needs s2scli[metrics]. If you stop it, run it again to resume.
set -eu
data=$1 here=$(dirname "$0")
work=${3:-workspace/summarize} minutes=${4:-60}
mkdir -p "$work/text"

# columns FILE NAME: write the two columns of a TSV file to NAME.source and NAME.target
columns() {
    gzip -dc "$1" | cut -f 1 > "$work/text/$2.source"
    gzip -dc "$1" | cut -f 2 > "$work/text/$2.target"
}

# baseline NAME KIND...: write a baseline of NAME.source to NAME.baseline, and score it
baseline() {
    name=$1
    shift
    python "$here/first_words.py" "$@" < "$work/text/$name.source" > "$work/text/$name.baseline"
    echo "== $name: the first $*"
    s2s evaluate --rouge --multi-reference --hypothesis "$work/text/$name.baseline" \
        --source "$work/text/$name.source" --reference "$work/text/$name.target"
}

# jawikinews_text: remove the spaces that an analyser put between words; every tenth row is for
# testing, the next one for validation
jawikinews_text() {
    gzip -dc "$data/jawikinews.short.tsv.gz" | tr -d ' ' > "$work/text/headlines.tsv"
    awk -v to="$work/text" '{
        part = NR % 10 == 0 ? "test" : NR % 10 == 1 ? "valid" : "train"
        print > (to "/headlines." part ".tsv")
    }' "$work/text/headlines.tsv"
    for name in headlines headlines.test; do
        cut -f 1 "$work/text/$name.tsv" > "$work/text/$name.source"
        cut -f 2 "$work/text/$name.tsv" > "$work/text/$name.target"
    done
}

# train WORKSPACE MINUTES OPTION...: train on the corpus of a workspace
train() {
    space=$work/$1 time=$2
    shift 2
    s2s train -w "$space" "$@" --max-minutes "$time" \
        --set training.metric=rouge1 --set training.validation_examples=100
}

# score WORKSPACE NAME: summarize NAME.source, and score the summaries
score() {
    s2s evaluate -w "$work/$1" --rouge --multi-reference \
        --source "$work/text/$2.source" --reference "$work/text/$2.target"
}

case $2 in
baselines)
    jawikinews_text
    columns "$data/scitldr.test.tsv.gz" scitldr.first
    columns "$data/scitldr.test.multi.tsv.gz" scitldr.all
    baseline headlines characters 30
    baseline headlines characters 40
    baseline scitldr.first sentence
    baseline scitldr.all sentence
    echo "== the same, with the reference of the best ROUGE-1 for all, as in the script of SciTLDR"
    s2s evaluate --rouge --rouge-reference rouge1 --multi-reference \
        --hypothesis "$work/text/scitldr.all.baseline" \
        --source "$work/text/scitldr.all.source" --reference "$work/text/scitldr.all.target"
    ;;
jawikinews)
    jawikinews_text
    text="$work/text/headlines"
    test -d "$work/jawikinews/corpus" || s2s prepare -w "$work/jawikinews" \
        "$text.train.tsv" --valid "$text.valid.tsv" --test "$text.test.tsv"
    baseline headlines.test characters 40
    train jawikinews "$minutes" --recipe summarize
    score jawikinews headlines.test
    ;;
scitldr)
    test -d "$work/scitldr/corpus" || s2s prepare -w "$work/scitldr" \
        "$data/scitldr.train.tsv.gz" --valid "$data/scitldr.dev.tsv.gz" \
        --test "$data/scitldr.test.tsv.gz"
    columns "$data/scitldr.test.multi.tsv.gz" scitldr.all
    baseline scitldr.all sentence
    # half of the time, learn to copy the sentence of an abstract that is closest to its summary
    for split in train dev; do
        gzip -dc "$data/scitldr.$split.tsv.gz" | python "$here/closest_sentence.py" \
            > "$work/text/sentences.$split.tsv"
    done
    test -d "$work/sentences/corpus" || s2s prepare -w "$work/sentences" \
        "$work/text/sentences.train.tsv" --valid "$work/text/sentences.dev.tsv"
    train sentences $((minutes / 2)) --recipe summarize
    train scitldr $((minutes / 2)) --init-from "$work/sentences/model"
    score scitldr scitldr.all
    ;;
*)
    echo "expected baselines, jawikinews or scitldr, found $2" >&2
    exit 2
    ;;
esac
