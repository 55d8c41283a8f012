#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job on the embedded default: three prompt sets, two toy models, every item.
set -euo pipefail
cd "$(dirname "$0")/.."
exec build/release/bin/promptsweep run --config config/eval_config.demo.yaml --new "$@"
