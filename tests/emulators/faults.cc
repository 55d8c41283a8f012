// SPDX-License-Identifier: Apache-2.0
#include "faults.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t without_end = 1'000'000'000'000;

char letter_of(const std::string& service) {
  return service == "ollama" ? 'o' : service == "fireworks" ? 'f' : 'a';
}

const FaultKind* find(const std::string& name, const std::string& service) {
  for (const FaultKind& kind : all_faults()) {
    if (kind.name == name && std::strchr(kind.services, letter_of(service))) return &kind;
  }
  return nullptr;
}

std::string unknown_key(const Json& entry) {
  static const char* known[] = {"fault",       "route", "requests", "from",
                                "probability", "times", "ms",       "part"};
  for (const auto& [key, value] : entry.items()) {
    if (std::find(std::begin(known), std::end(known), key) == std::end(known)) return key;
  }
  return "";
}

}  // namespace

bool Strike::is(std::string_view name) const {
  if (kind == nullptr) return false;
  std::string_view own = kind->name;
  if (own == name) return true;
  constexpr std::string_view row = "row_", always = "_always";
  if (own.substr(0, row.size()) == row) own.remove_prefix(row.size());
  if (own.size() > always.size() && own.substr(own.size() - always.size()) == always) {
    own.remove_suffix(always.size());
  }
  return own == name;
}

std::string faults_json(const std::string& service) {
  Json rows = Json::array();
  for (const FaultKind& kind : all_faults()) {
    if (!std::strchr(kind.services, letter_of(service))) continue;
    rows.push_back({{"name", kind.name},
                    {"service", service},
                    {"mode", service == "fireworks" ? kind.mode : "realtime"},
                    {"kind", kind.kind},
                    {"applies_to", kind.applies_to},
                    {"why", kind.why}});
  }
  return rows.dump(1);
}

std::string Faults::load(const std::string& text, const std::string& service) {
  std::vector<Entry> entries;
  try {
    const Json script = Json::parse(text);
    if (script.contains("seed")) state_ = mixed(script.at("seed").get<std::uint64_t>());
    for (const Json& row : script.value("faults", Json::array())) {
      if (const std::string key = unknown_key(row); !key.empty()) return "unknown key " + key;
      const std::string name = row.at("fault");
      Entry entry{};
      entry.kind = find(name, service);
      if (entry.kind == nullptr) return service + " has no fault " + name;
      entry.route = row.value("route", std::string(entry.kind->applies_to));
      entry.requests = row.value("requests", std::vector<std::uint64_t>());
      entry.from = row.value("from", std::int64_t{-1});
      entry.probability = row.value("probability", -1.0);
      const bool when = !entry.requests.empty() || entry.from >= 0 || entry.probability >= 0;
      const bool always = std::strcmp(entry.kind->kind, "permanent") == 0;
      entry.times_left = row.value("times", when || always ? without_end : std::int64_t{1});
      entry.ms = row.value("ms", entry.kind->argument);
      entry.part = row.value("part", 0.3);
      entries.push_back(std::move(entry));
    }
  } catch (const Json::exception& e) {
    return e.what();
  }
  entries_ = std::move(entries);
  return "";
}

bool Faults::fits(Entry& entry, const std::string& route, std::uint64_t index,
                  std::uint64_t all_index) {
  // Jobs and results are no requests: only faults that name them strike there.
  const bool any = entry.route == "any" && route != "job" && route != "results";
  if (entry.times_left <= 0 || (!any && entry.route != route)) return false;
  const std::uint64_t i = any ? all_index : index;
  if (!entry.requests.empty() &&
      std::find(entry.requests.begin(), entry.requests.end(), i) == entry.requests.end()) {
    return false;
  }
  if (entry.from >= 0 && i < static_cast<std::uint64_t>(entry.from)) return false;
  if (entry.probability >= 0) {
    state_ = mixed(state_);
    if (static_cast<double>(state_ >> 11) * 0x1p-53 >= entry.probability) return false;
  }
  --entry.times_left;
  return true;
}

Strike Faults::strike(const std::string& route, std::uint64_t index, std::uint64_t all_index) {
  for (Entry& entry : entries_) {
    if (fits(entry, route, index, all_index)) return {entry.kind, entry.ms, entry.part};
  }
  return {};
}

std::vector<Strike> Faults::strikes(const std::string& route, std::uint64_t index) {
  std::vector<Strike> out;
  for (Entry& entry : entries_) {
    if (fits(entry, route, index, index)) out.push_back({entry.kind, entry.ms, entry.part});
  }
  return out;
}

}  // namespace promptsweep::emulator
