#!/bin/sh
# Dialogue: a model of two people chatting answers the last turns of a conversation.
#
#     sh examples/dialogue/run.sh DATA baselines|train|talk [WORKSPACE [MINUTES]]
#
# DATA is a folder with topical_chat.{train,test}.tsv.gz: a turn, a TAB and its reply on each line,
# in order (https://github.com/alexa/Topical-Chat). If you stop it, run it again to resume.
set -eu
data=$1 here=$(dirname "$0")
work=${3:-workspace/dialogue} minutes=${4:-60}
mkdir -p "$work/text"
train="$data/topical_chat.train.tsv.gz" test="$data/topical_chat.test.tsv.gz"

case $2 in
baselines)
    python "$here/baseline_replies.py" "$train" "$test" "$work/text"
    for name in repeat fixed common reply; do
        echo "== $name"
        s2s evaluate --f1 --diversity \
            --hypothesis "$work/text/$name" --reference "$work/text/reply"
    done
    ;;
train)
    test -d "$work/corpus" || s2s prepare -w "$work" "$train" --test "$test" --history 3
    test -d "$work/tokenizer" || s2s train-tokenizer -w "$work" --vocab-size 8000
    s2s train -w "$work" --recipe transformer-tiny --max-minutes "$minutes" \
        --set training.metric=loss --set training.validation_examples=500
    s2s evaluate -w "$work" --perplexity --word-perplexity --byte-perplexity
    s2s evaluate -w "$work" --f1 --diversity --examples 9 -o "$work/text/best.tsv"
    # sampling: replies as varied as people's; the table has the sources and their true replies
    sed 1000q "$work/text/best.tsv" > "$work/text/first.tsv"
    cut -f 1 "$work/text/first.tsv" > "$work/text/history"
    cut -f 2 "$work/text/first.tsv" > "$work/text/history.reply"
    cut -f 3 "$work/text/first.tsv" > "$work/text/beam"
    s2s translate -w "$work" --sample --top-p 0.9 "$work/text/history" -o "$work/text/sampled"
    # minimum Bayes risk: the sample that the other samples are most like
    s2s translate -w "$work" --sample --top-p 0.9 --mbr 20 "$work/text/history" -o "$work/text/mbr"
    for name in beam sampled mbr; do
        echo "== $name"
        s2s evaluate --f1 --diversity \
            --hypothesis "$work/text/$name" --reference "$work/text/history.reply"
    done
    ;;
talk)
    s2s translate -w "$work" --history 3 --sample --top-p 0.9
    ;;
*)
    echo "expected baselines, train or talk, found $2" >&2
    exit 2
    ;;
esac
