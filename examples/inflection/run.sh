#!/bin/sh
# Train a model that inflects words, for each language by the same recipe, and score it on its test file.
#
#     sh examples/inflection/run.sh DATA [WORK [LANGUAGE...]]
#
# DATA holds LANGUAGE.train.tsv.gz, LANGUAGE.dev.tsv.gz and LANGUAGE.test.tsv.gz.
set -eu
here=$(dirname "$0")
data=${1:?expected the folder of the data}
work=${2:-workspace/inflection}
[ $# -gt 2 ] && shift 2 || set -- arz deu eng fin jap kat rus tur

for language; do
    folder=$work/$language
    mkdir -p "$folder"
    for split in train dev test; do
        gzip -dc "$data/$language.$split.tsv.gz" | python "$here/spell.py" > "$folder/$split.tsv"
    done
    s2s prepare --overwrite "$folder/train.tsv" --valid "$folder/dev.tsv" --test "$folder/test.tsv" \
        -w "$folder"
    s2s train-tokenizer --kind word --joint --vocab-size 250 -w "$folder"
    s2s train --recipe inflection -w "$folder"
    echo "$language: exact match on the test file"
    s2s evaluate --exact-match -w "$folder"
done
