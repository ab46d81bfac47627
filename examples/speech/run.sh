#!/bin/sh
# Speech to text: spoken digits, and telephone prompts in several languages.
#
#     sh examples/speech/run.sh DATA digits|speakers|connected|prompts|translation [WORKSPACE]
#
# For the first three, DATA is a folder of the Free Spoken Digit Dataset
# (https://github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0) with recordings/,
# manifest.tsv, train.tsv and test.tsv. For the others it is a folder with
# LANGUAGE.{train,dev,test}.tsv (path TAB transcript), made of Debian's asterisk-core-sounds
# packages (CC BY-SA 3.0).
# If you stop it, run it again to resume.
set -eu
data=$1 here=$(dirname "$0")
work=${3:-workspace/speech}
mkdir -p "$work"
changes=""

# learn WORKSPACE STEPS TRAIN [PREPARE OPTIONS]: prepare, train and evaluate
learn() {
    name=$1 steps=$2 train=$3
    shift 3
    test -d "$name/corpus" || s2s prepare -q -w "$name" "$train" --source-kind audio "$@"
    s2s train -q -w "$name" --max-steps "$steps" --set training.limits.patience=0 \
        --set training.schedule.kind=cosine --set training.schedule.total_steps="$steps" \
        --set training.schedule.warmup_steps=100 $changes
    s2s evaluate -w "$name" --wer --cer --exact-match --json > "$name/scores.json"
    s2s evaluate -w "$name" --wer --cer --exact-match
}

# know_voices: change recordings less in training, because the test has no unheard voices
know_voices() {
    for change in tone=3 noise=0.1 speed=0.1 warp=0.1 silence=0.05; do
        changes="$changes --set model.source.$change"
    done
}

case $2 in
digits)
    know_voices
    learn "$work/digits" 2000 "$data/train.tsv" --test "$data/test.tsv"
    ;;
speakers)
    python "$here/make_digits.py" "$data" "$work/data" speakers
    for speaker in nicolas theo yweweler jackson lucas george; do
        learn "$work/without-$speaker" 800 "$work/data/without-$speaker.tsv" \
            --test "$work/data/only-$speaker.tsv"
    done
    ;;
connected)
    python "$here/make_digits.py" "$data" "$work/data" connected
    learn "$work/connected" 800 "$work/data/connected.train.tsv" \
        --valid "$work/data/connected.valid.tsv" --test "$work/data/connected.test.tsv"
    ;;
prompts)
    know_voices
    changes="$changes --set model.ctc_weight=0.5"
    for language in en es fr ru; do
        learn "$work/$language" 1600 "$data/$language.train.tsv" \
            --valid "$data/$language.dev.tsv" --test "$data/$language.test.tsv"
    done
    cat "$data"/??.train.tsv > "$work/all.train.tsv"
    cat "$data"/??.dev.tsv > "$work/all.dev.tsv"
    cat "$data"/??.test.tsv > "$work/all.test.tsv"
    learn "$work/all" 3200 "$work/all.train.tsv" \
        --valid "$work/all.dev.tsv" --test "$work/all.test.tsv"
    ;;
translation)
    know_voices
    mkdir -p "$work/data"
    for split in train dev test; do # English sound and French text of the same prompt
        awk -F '\t' '{ name = $1; sub(".*/", "", name) }
            NR == FNR { french[name] = $2; next }
            name in french { print $1 "\t" french[name] }' \
            "$data/fr.$split.tsv" "$data/en.$split.tsv" > "$work/data/en-fr.$split.tsv"
    done
    learn "$work/en-fr" 1600 "$work/data/en-fr.train.tsv" \
        --valid "$work/data/en-fr.dev.tsv" --test "$work/data/en-fr.test.tsv"
    s2s evaluate -w "$work/en-fr" --chrf --bleu
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
