#!/bin/sh
# Pictures in and out, with MNIST: an exact likelihood, digits from words, numbers to words, a VAE.
#
#     sh examples/images/run.sh MNIST likelihood|read|write|numbers|vae [WORKSPACE]
#
# MNIST is a folder with the four files of the data set (IDX, gzip).
# If you stop it, run it again to resume.
set -eu
mnist=$1 here=$(dirname "$0")
work=${3:-workspace/images}
mkdir -p "$work"
test -d "$work/data" || python "$here/make_mnist.py" "$mnist" "$work/data"
data=$work/data

# learn WORKSPACE CORPUS SOURCE-KIND TARGET-KIND [TRAINING OPTIONS]: prepare and train
learn() {
    name=$1 corpus=$data/$2 source=$3 target=$4
    shift 4
    test -d "$name/corpus" || s2s prepare -q -w "$name" "$corpus.train.tsv" \
        --valid "$corpus.valid.tsv" --test "$corpus.test.tsv" \
        --source-kind "$source" --target-kind "$target"
    s2s train -q -w "$name" --set training.limits.patience=0 "$@"
}

case $2 in
likelihood)
    learn "$work/likelihood" likelihood text image -r text-to-image --max-steps 10000 \
        --set training.schedule.kind=cosine --set training.schedule.total_steps=10000 --set training.schedule.warmup_steps=300 \
        --set training.validate_every=1000
    s2s evaluate -w "$work/likelihood" --nats
    echo digit | s2s translate -w "$work/likelihood" --sample --nbest 64 \
        -o "$work/likelihood/samples/"
    python "$here/sheet.py" "$work/likelihood/samples" 16 "$work/likelihood.png"
    ;;
read)
    learn "$work/read" read image text --max-epochs 6 --set training.metric=exact_match
    s2s evaluate -w "$work/read" --exact-match
    ;;
write)
    test -f "$data/write.test.tsv" || sed 2000q "$data/write.valid.tsv" > "$data/write.test.tsv"
    learn "$work/write" write text image -r text-to-image --max-steps 5000 \
        --set training.schedule.kind=cosine --set training.schedule.total_steps=5000
    printf '%s\n' zero one two three four five six seven eight nine |
        s2s translate -w "$work/write" --sample --nbest 20 --temperature 0.9 \
            -o "$work/write/samples/"
    python "$here/sheet.py" "$work/write/samples" 20 "$work/write.png"
    for temperature in 1 0.9; do
        python "$here/read_samples.py" "$mnist" "$work" "$temperature"
    done
    ;;
numbers)
    learn "$work/numbers" numbers image text --max-epochs 6 --set training.metric=exact_match
    s2s evaluate -w "$work/numbers" --exact-match --examples 3
    ;;
vae)
    for split in train valid test; do
        cut -f 2 "$data/likelihood.$split.tsv" > "$data/pictures.$split.txt"
    done
    test -d "$work/vae/corpus" || s2s prepare -q -w "$work/vae" "$data/pictures.train.txt" \
        --valid "$data/pictures.valid.txt" --test "$data/pictures.test.txt" --source-kind image
    s2s train -q -w "$work/vae" -r vae --max-steps 6000 --set training.limits.patience=0
    s2s evaluate -w "$work/vae" --importance-samples 100
    s2s generate -w "$work/vae" -n 64 --sample -o "$work/vae/sheet.png"
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
