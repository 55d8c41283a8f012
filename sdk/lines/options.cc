// SPDX-License-Identifier: Apache-2.0
#include <promptsweep/options.h>

#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>
#include <set>

namespace psw {
namespace lines {

using nlohmann::json;

void refuse_option(std::string_view key, std::string_view text) {
  throw psw::Error(PSW_E_CONFIG, "/" + std::string(key) + ": " + std::string(text));
}

struct OptionReader::State {
  json object;
  std::string backend;
  std::set<std::string, std::less<>> known;

  // nullptr: absent.
  const json* find(const char* key) {
    known.insert(key);
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
  }
};

namespace {

[[noreturn]] void not_allowed(const char* key, const json& found, const std::string& allowed) {
  refuse_option(key, "found " + found.dump(-1, ' ', false, json::error_handler_t::replace) +
                         "; allowed is " + allowed);
}

}  // namespace

OptionReader::OptionReader(std::string_view config_json, std::string backend)
    : state_(std::make_unique<State>()) {
  state_->object = json::parse(config_json, nullptr, false);
  state_->backend = std::move(backend);
  if (!state_->object.is_object())
    throw psw::Error(PSW_E_CONFIG, ": the options are no JSON object");
}

OptionReader::~OptionReader() = default;

bool OptionReader::has(std::string_view key) const {
  return state_->object.contains(std::string(key));
}

bool OptionReader::read_integer(const char* key, std::int64_t& value, std::int64_t low,
                                std::int64_t high) {
  const json* found = state_->find(key);
  if (found == nullptr) return false;
  if (!found->is_number_integer()) not_allowed(key, *found, "a whole number");
  // A number beyond 63 bits would wrap to a negative one.
  const bool huge =
      found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(high);
  value = found->get<std::int64_t>();
  if (huge || value < low || value > high)
    not_allowed(key, *found, std::to_string(low) + " to " + std::to_string(high));
  return true;
}

void OptionReader::number(const char* key, double& value, double low, double high) {
  const json* found = state_->find(key);
  if (found == nullptr) return;
  if (!found->is_number()) not_allowed(key, *found, "a number");
  value = found->get<double>();
  if (!(value >= low && value <= high))
    not_allowed(key, *found, json(low).dump() + " to " + json(high).dump());
}

void OptionReader::boolean(const char* key, bool& value) {
  const json* found = state_->find(key);
  if (found == nullptr) return;
  if (!found->is_boolean()) not_allowed(key, *found, "true or false");
  value = found->get<bool>();
}

void OptionReader::text(const char* key, std::string& value) {
  const json* found = state_->find(key);
  if (found == nullptr) return;
  if (!found->is_string() || found->get_ref<const std::string&>().empty())
    not_allowed(key, *found, "a text");
  value = found->get<std::string>();
}

void OptionReader::choice(const char* key, std::string& value,
                          const std::vector<std::string>& allowed) {
  const json* found = state_->find(key);
  if (found == nullptr) return;
  std::string names;
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    if (found->is_string() && found->get_ref<const std::string&>() == allowed[i]) {
      value = allowed[i];
      return;
    }
    if (i > 0) names += i + 1 == allowed.size() ? " or " : ", ";
    names += allowed[i];
  }
  not_allowed(key, *found, names);
}

void OptionReader::object(const char* key, std::string& out) {
  const json* found = state_->find(key);
  if (found == nullptr) return;
  if (!found->is_object()) not_allowed(key, *found, "an object");
  out = found->dump();
}

void OptionReader::nothing_else() const {
  for (const auto& [key, value] : state_->object.items()) {
    if (!state_->known.contains(key)) refuse_option(key, "is no option of " + state_->backend);
  }
}

}  // namespace lines
}  // namespace psw
