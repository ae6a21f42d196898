#!/bin/sh
# Stands in for nvcc when only Rust's type check of the `cuda` feature is wanted: every output is
# written empty, so that build scripts go on without the CUDA toolkit. Nothing it makes can run.
out=; folder=; source=; kind=object; previous=
for argument in "$@"; do
  case "$previous" in
    -o) out=$argument ;;
    --output-directory) folder=$argument ;;
  esac
  case "$argument" in
    --version) printf 'nvcc\nstand-in\nstand-in\nCuda compilation tools, release 13.0, V13.0.88\n'; exit 0 ;;
    --ptx) kind=ptx ;;
    --lib) kind=archive ;;
    *.cu) source=$argument ;;
  esac
  previous=$argument
done
case "$kind" in
  ptx) : > "${out:-$folder/$(basename "$source" .cu).ptx}" ;;
  archive) rm -f "$out"; ar crs "$out" ;;
  object) : > "$out" ;;
esac
