#!/bin/sh
# Word alignments from attention, scored against alignments by hand, beside those of eflomal.
#
#     sh examples/alignment/run.sh DATA eng-fra|cmn-eng [MINUTES [WORKSPACE]]
#
# DATA is a folder with tatoeba/ (eng-fra.tsv.gz, eng-cmn.attributed.tsv.gz: Tatoeba pairs of
# manythings.org/anki) and alignment/ (PAIR.tsv.gz, PAIR.gold.gz: the pairs and gold alignments of
# github.com/neulab/awesome-align, examples/). Two models are trained, one for each direction, for
# MINUTES each. If you stop it, run it again to resume.
set -eu
data=$1 pair=$2 minutes=${3:-20} here=$(dirname "$0")
work=${4:-workspace/alignment}/$pair
source=${pair%-*} target=${pair#*-}
case $pair in
eng-fra) corpus=$data/tatoeba/eng-fra.tsv.gz columns="eng fra" ;;
cmn-eng) corpus=$data/tatoeba/eng-cmn.attributed.tsv.gz columns="eng cmn" ;;
*)
    echo "expected eng-fra or cmn-eng, found $pair" >&2
    exit 2
    ;;
esac
mkdir -p "$work"

# flip FILE: swap the two columns
flip() { awk -F '\t' '{ print $2 "\t" $1 }' "$1"; }

# shellcheck disable=SC2086  # two words
gzip -dc "$corpus" | python "$here/tokenise.py" $columns > "$work/pairs.tsv"
if test "$pair" = cmn-eng; then
    flip "$work/pairs.tsv" > "$work/flipped.tsv"
    mv "$work/flipped.tsv" "$work/pairs.tsv"
fi
flip "$work/pairs.tsv" > "$work/reverse.tsv"
gzip -dc "$data/alignment/$pair.gold.gz" > "$work/gold"
gzip -dc "$data/alignment/$pair.tsv.gz" | python "$here/tokenise.py" > "$work/test.tsv"
cut -f 1 "$work/test.tsv" > "$work/test.$source"
cut -f 2 "$work/test.tsv" > "$work/test.$target"

for direction in pairs reverse; do
    test -d "$work/$direction/corpus" || s2s prepare -w "$work/$direction" "$work/$direction.tsv"
    s2s train -w "$work/$direction" --recipe transformer-tiny --max-minutes "$minutes"
done
s2s inspect alignment -w "$work/pairs" --reverse "$work/reverse/model" --save
s2s evaluate -w "$work/pairs" --aer "$work/gold" \
    --source "$work/test.$source" --reference "$work/test.$target"

if python -c "import eflomal" 2> /dev/null; then
    python "$here/align.py" "$work/pairs.tsv" "$work/test.tsv" "$work"
    for links in forward backward both; do
        s2s evaluate --aer "$work/gold" --hypothesis "$work/eflomal.$links"
    done
else
    echo "eflomal is not installed (pip install eflomal): no comparison" >&2
fi
