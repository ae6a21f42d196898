#!/usr/bin/env bash
# Runs the tests of the kernels where undefined behaviour becomes an error: the portable paths under
# Miri, those with vector instructions under AddressSanitizer. Both are parts of the nightly toolchain:
#   rustup toolchain install nightly --component miri,rust-src
# Usage: tools/check-unsafe.sh miri|asan [FILTER...]
set -euo pipefail
cd "$(dirname "$0")/.."
tool=${1:-}
filters=("${@:2}")
((${#filters[@]})) || filters=(kernels::)

case $tool in
miri)
  # The portable paths, since Miri offers no vector instructions. Threads of rayon outlive the tests.
  # What is interpreted gains nothing from an optimised build.
  export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-ignore-leaks ${MIRIFLAGS:-}" RAYON_NUM_THREADS=2
  cargo +nightly miri test --locked -p mmface-engine --lib \
    --config 'profile.dev.package."*".opt-level=0' --config 'profile.dev.package.mmface-engine.opt-level=0' \
    -- "${filters[@]}"
  ;;
asan)
  # A target of its own, so that build scripts and macros are not instrumented.
  host=$(rustc +nightly -vV | sed -n 's/^host: //p')
  export RUSTFLAGS="-Zsanitizer=address ${RUSTFLAGS:-}" CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target/asan}
  for isa in portable avx2 avx512 avx512bf16 amx; do
    echo "== MMFACE_ISA=$isa, or the best one below it"
    MMFACE_ISA=$isa cargo +nightly test --locked --target "$host" -p mmface-engine --lib -- "${filters[@]}"
  done
  ;;
*)
  sed -n '2,5s/^# //p' "$0"
  exit 2
  ;;
esac
