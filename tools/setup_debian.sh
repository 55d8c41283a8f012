#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian 12 packages that are missing; touches nothing when none is.
#   setup_debian.sh          what building needs
#   setup_debian.sh --test   and what the tests need
#   setup_debian.sh --ci     and the compilers and tools of the checks
#   setup_debian.sh --models and what training the demonstration models needs
set -euo pipefail

packages=(g++ cmake ninja-build ccache make git ca-certificates
  libboost-dev libboost-filesystem-dev libboost-program-options-dev nlohmann-json3-dev
  libyaml-cpp-dev libsqlite3-dev libcurl4-openssl-dev libssl-dev libicu-dev libvalijson-dev)
test_packages=(libboost-test-dev zstd python3 python3-jsonschema python3-yaml strace)
ci_packages=(clang-16 clang-tidy-16 clang-format-16 libclang-rt-16-dev)
model_packages=(python3-torch python3-numpy libopenblas0)

wanted=("${packages[@]}")
for argument in "$@"; do
  case $argument in
    --test) wanted+=("${test_packages[@]}") ;;
    --ci) wanted+=("${test_packages[@]}" "${ci_packages[@]}") ;;
    --models) wanted+=("${model_packages[@]}") ;;
    *) echo "setup_debian.sh: unknown argument $argument" >&2; exit 2 ;;
  esac
done
# npm is needed once, to obtain llama.cpp; any npm will do.
command -v npm >/dev/null || wanted+=(npm)

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: as root, install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing: ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
