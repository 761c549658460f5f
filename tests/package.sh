#!/bin/sh
# The wheel holds the programs and the type marker, and works in a new environment away from the checkout.
set -eu
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m build --quiet --outdir "$work/dist" .
"$python" -m zipfile -l "$work"/dist/*.whl >"$work/names"
grep -q "handcraft/programs/aab.py" "$work/names"
grep -q "handcraft/programs/sequence/sort.py" "$work/names"
grep -q "handcraft/py.typed" "$work/names"
grep -q "handcraft/viewer/parts/gpt2.js" "$work/names"
grep -q "handcraft/viewer/parts/index.html" "$work/names"
grep -q "handcraft/viewer/parts/style.css" "$work/names"
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip --disable-pip-version-check --quiet install "$work"/dist/*.whl
cd "$work"
"$work/venv/bin/handcraft" build aab
test "$("$work/venv/bin/handcraft" run aab a -n 10)" = baabaabaab
"$work/venv/bin/handcraft" verify build/aab
"$work/venv/bin/handcraft" view aab -o aab.html
grep -q "Content-Security-Policy" aab.html
"$work/venv/bin/handcraft" build sequence/hist
"$work/venv/bin/handcraft" verify build/sequence/hist
for runtime in gpt2 picogpt nanogpt; do "$work/venv/bin/handcraft" export build/aab --to $runtime --out "exports/$runtime"; done
if "$work/venv/bin/python" -c "import torch" 2>/dev/null; then echo "the core brings torch" >&2; exit 1; fi
code=0
"$work/venv/bin/handcraft" export aab --to onnx --out exports/onnx 2>"$work/missing" || code=$?
test "$code" = 2
grep -qx "error: an ONNX file needs the extra .onnx.: pip install 'handcraft\[onnx\]'" "$work/missing"
test ! -e exports/onnx
if grep -rq "$work" build/aab; then echo "a built directory names the machine's folders" >&2; exit 1; fi
