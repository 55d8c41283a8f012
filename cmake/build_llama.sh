#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds llama.cpp's libraries once into a cache outside the checkout and prints the folder of the
# finished build. The cache is keyed by version, compiler and options; it is made under another name
# and renamed, so a folder that exists is whole. A finished one is used without npm or network.
#
#   build_llama.sh [--source DIR] [--cuda] [--cuda-architectures LIST] [--source-only] [--server]
#
# The folder holds include/, lib/*.a and VERSION; with --server it is another one and holds
# bin/llama-server. --source-only prints the folder of the sources (with gguf-py) instead. LIST is as
# in CMAKE_CUDA_ARCHITECTURES, with commas; default: this machine's GPUs.
set -euo pipefail

package=node-llama-cpp
version=3.22.1
# SHA-512 of the package as published; it holds llama.cpp 0.5.0 as a git bundle.
sha512=6e5b488a9b9699cd76dc7eed30880318a4ac4ab866865418795502e3c5d38d55bb5c624988927209d95333343f2e25a83e4183a5c2f816f883a60c3ba9f4e20f

source_dir=
cuda=OFF
cuda_architectures=
source_only=
server=OFF
while [ $# -gt 0 ]; do
  case $1 in
    --source) source_dir=$2; shift 2 ;;
    --cuda) cuda=ON; shift ;;
    --cuda-architectures) cuda_architectures=${2//,/;}; shift 2 ;;
    --source-only) source_only=1; shift ;;
    --server) server=ON; shift ;;
    *) echo "build_llama.sh: unknown argument $1" >&2; exit 2 ;;
  esac
done

cache=${XDG_CACHE_HOME:-$HOME/.cache}/promptsweep
# One uninstrumented release build serves every preset, so it is always built by the system's g++.
compiler=${PROMPTSWEEP_LLAMA_CXX:-g++}
options=(
  -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON
  -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_TOOLS=$server
  -DLLAMA_BUILD_SERVER=$server -DLLAMA_BUILD_COMMON=$server
  -DGGML_NATIVE=ON -DGGML_OPENMP=OFF -DGGML_CUDA=$cuda
)
targets=()
if [ $server = ON ]; then
  # Without the page, which would be downloaded, and without TLS: it listens on this machine.
  options+=(-DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_OPENSSL=OFF)
  targets=(--target llama-server)
fi
# Native code runs on machines with the same instructions only, so those are part of the key.
cpu=$({ grep -m1 -iE '^(flags|features)' /proc/cpuinfo || uname -m; } | tr ' ' '\n' | LC_ALL=C sort | sha256sum | cut -c1-8)
device=()
if [ $cuda = ON ]; then
  command -v "${CUDACXX:-nvcc}" >/dev/null || {
    echo "build_llama.sh: CUDA needs nvcc on the PATH or in CUDACXX" >&2; exit 1; }
  # Static libraries do not carry the name of a library that they found by chance.
  options+=(-DGGML_CUDA_NCCL=OFF)
  [ -z "$cuda_architectures" ] || options+=("-DCMAKE_CUDA_ARCHITECTURES=$cuda_architectures")
  device=("$("${CUDACXX:-nvcc}" --version | tail -n 1)"
    "$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | sort -u || true)")
fi
origin=$version
tree=
if [ -n "$source_dir" ]; then
  [ -f "$source_dir/include/llama.h" ] || { echo "build_llama.sh: $source_dir is no llama.cpp source tree" >&2; exit 1; }
  # By content: an edited tree is built again, the same tree elsewhere is not.
  tree=$(cd "$source_dir" && find . \( -name .git -o -path './build*' \) -prune -o -type f \
    \( -path './src/*' -o -path './include/*' -o -path './ggml/*' -o -path './vendor/*' -o -name '*.cmake' -o -name CMakeLists.txt \) -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-8)
  origin=tree-$tree
fi
key=$(printf '%s\n' "$origin" "$("$compiler" --version | head -n 1)" "$cpu" "${options[@]}" "${device[@]}" | sha256sum | cut -c1-12)
done_dir=$cache/llama-$origin-$key
source_cache=$cache/llama-source-$version

# A finished build is used without waiting for somebody who makes another one.
if [ -d "$done_dir" ] && [ -z "$source_only" ]; then
  echo "$done_dir"
  exit 0
fi
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

fetch_source() {
  [ -d "$source_cache" ] && return
  command -v npm >/dev/null || { echo "build_llama.sh: npm is needed to obtain llama.cpp once; or name a source tree" >&2; exit 1; }
  work=$(mktemp -d "$cache/.fetch.XXXXXX")
  echo "obtaining llama.cpp from the npm package $package@$version" >&2
  (cd "$work" && npm pack --silent "$package@$version" >/dev/null)
  tarball=$work/$package-$version.tgz
  echo "$sha512  $tarball" | sha512sum --check --quiet >&2 || {
    echo "build_llama.sh: $package@$version is not the pinned file" >&2; exit 1; }
  tar -xzf "$tarball" -C "$work" package/llama/gitRelease.bundle
  git -c advice.detachedHead=false clone --quiet "$work/package/llama/gitRelease.bundle" "$work/source" >&2
  rm -rf "$work/source/.git"
  mv "$work/source" "$source_cache"
  rm -rf "$work"
  work=
}

if [ -z "$source_dir" ]; then
  if [ ! -d "$done_dir" ] || [ -n "$source_only" ]; then fetch_source; fi
  source_dir=$source_cache
fi
if [ -n "$source_only" ]; then
  echo "$source_dir"
  exit 0
fi

if [ ! -d "$done_dir" ]; then
  work=$(mktemp -d "$cache/.build.XXXXXX")
  what="libraries"
  [ $server = OFF ] || what="server"
  echo "building llama.cpp's $what once (minutes), into $done_dir" >&2
  generator=()
  command -v ninja >/dev/null && generator=(-G Ninja)
  CC=${compiler/g++/gcc} CXX=$compiler cmake -S "$source_dir" -B "$work/build" "${generator[@]}" "${options[@]}" >"$work/log" 2>&1 &&
    cmake --build "$work/build" --parallel "$(nproc)" "${targets[@]}" >>"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; exit 1; }
  mkdir -p "$work/out/lib" "$work/out/include"
  find "$work/build" -name '*.a' -exec cp {} "$work/out/lib/" \;
  cp "$source_dir"/include/*.h "$source_dir"/ggml/include/*.h "$work/out/include/"
  if [ $server = ON ]; then
    mkdir "$work/out/bin"
    cp "$work/build/bin/llama-server" "$work/out/bin/"
  fi
  sed -n 's/^set(LLAMA_VERSION_\(MAJOR\|MINOR\|PATCH\) \([0-9]*\))$/\2/p' "$source_dir/CMakeLists.txt" | paste -sd. |
    sed "s/\$/${tree:++$tree}/" >"$work/out/VERSION"
  mv "$work/out" "$done_dir"
fi
echo "$done_dir"
