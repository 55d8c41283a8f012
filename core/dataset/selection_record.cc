// SPDX-License-Identifier: Apache-2.0
#include "dataset/selection_record.h"

#include <nlohmann/json.hpp>

#include "base/digest.h"

namespace promptsweep {
namespace {

using nlohmann::json;

std::string number_or_none(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : "-";
}

json type_json(const SelectionFacts::OfType& of) {
  return {{"items", of.items}, {"quarters", of.quarters}};
}

SelectionFacts::OfType type_from(const json& document) {
  SelectionFacts::OfType out;
  out.items = document.at("items").get<std::int64_t>();
  out.quarters = document.at("quarters").get<std::array<std::int64_t, 4>>();
  return out;
}

}  // namespace

std::string selection_input_hash(const std::vector<HashedSource>& sources,
                                 const SelectionLimits& limits) {
  FieldHash hash;
  hash.add("selection").add(std::int64_t{dataset_version});
  for (const auto& [source, sha256] : sources) {
    hash.add("source").add(sha256).add(source.name).add(to_string(source.format));
    hash.add(source.task ? to_string(*source.task) : "-").add(number_or_none(source.max_items));
    for (const auto& [field, column] : source.columns) hash.add("column").add(field).add(column);
  }
  hash.add("limits").add(std::to_string(limits.seed));
  for (const auto& [dataset, cap] : limits.max_items_by_dataset) hash.add(dataset).add(cap);
  hash.add("all").add(number_or_none(limits.limit_items));
  hash.add("each").add(number_or_none(limits.limit_items_per_dataset));
  return sha256_hex(hash.bytes());
}

std::string to_json(const SelectionFacts& facts) {
  json counts = json::array();
  for (const SelectionFacts::Count& count : facts.counts) {
    counts.push_back({{"dataset", count.dataset},
                      {"available", count.available},
                      {"capped", count.capped},
                      {"selected", count.selected}});
  }
  return json{{"items_sha256", facts.items_sha256},
              {"counts", counts},
              {"closed_book", type_json(facts.closed_book)},
              {"open_book", type_json(facts.open_book)}}
      .dump();
}

std::optional<SelectionFacts> selection_facts_from_json(const std::string& text) {
  try {
    const json document = json::parse(text);
    SelectionFacts out;
    out.items_sha256 = document.at("items_sha256").get<std::string>();
    for (const json& count : document.at("counts")) {
      out.counts.push_back(
          {count.at("dataset").get<std::string>(), count.at("available").get<std::int64_t>(),
           count.at("capped").get<std::int64_t>(), count.at("selected").get<std::int64_t>()});
    }
    out.closed_book = type_from(document.at("closed_book"));
    out.open_book = type_from(document.at("open_book"));
    return out;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace promptsweep
