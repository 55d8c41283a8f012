// SPDX-License-Identifier: Apache-2.0
// A selection as a record: what it was made from as one hash, and what came of it as JSON. Where
// the hash is the recorded one, reading the data again would give the recorded facts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dataset/dataset.h"

namespace promptsweep {

// Bumped when reading or choosing items changes what it returns.
inline constexpr int dataset_version = 1;

struct HashedSource {
  DatasetSource source;
  std::string sha256;  // of the file's bytes
};

// Over everything that read_dataset and select_items look at; paths are not part of it.
std::string selection_input_hash(const std::vector<HashedSource>& sources,
                                 const SelectionLimits& limits);

std::string to_json(const SelectionFacts& facts);
// nullopt: no such document.
std::optional<SelectionFacts> selection_facts_from_json(const std::string& json);

}  // namespace promptsweep
