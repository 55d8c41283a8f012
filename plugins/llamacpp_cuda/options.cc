// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>
#include <set>

namespace llamacpp {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& key, const std::string& text) {
  throw psw::Error(PSW_E_CONFIG, "/" + key + ": " + text);
}

class Reader {
 public:
  explicit Reader(const json& object) : object_(object) {}

  template <class T>
  void integer(const char* key, T& value, std::int64_t low, std::int64_t high) {
    known_.insert(key);
    const auto found = object_.find(key);
    if (found == object_.end()) return;
    if (!found->is_number_integer())
      refuse(key, "found " + found->dump() + "; allowed is a whole number");
    // A number beyond 63 bits would wrap to a negative one.
    const bool huge = found->is_number_unsigned() &&
                      found->get<std::uint64_t>() > static_cast<std::uint64_t>(high);
    const auto number = found->get<std::int64_t>();
    if (huge || number < low || number > high) {
      refuse(key, "found " + found->dump() + "; allowed is " + std::to_string(low) + " to " +
                      std::to_string(high));
    }
    value = static_cast<T>(number);
  }
  void boolean(const char* key, bool& value) {
    known_.insert(key);
    const auto found = object_.find(key);
    if (found == object_.end()) return;
    if (!found->is_boolean()) refuse(key, "found " + found->dump() + "; allowed is true or false");
    value = found->get<bool>();
  }
  void text(const char* key, std::string& value) {
    known_.insert(key);
    const auto found = object_.find(key);
    if (found == object_.end()) return;
    if (!found->is_string() || found->get_ref<const std::string&>().empty())
      refuse(key, "found " + found->dump() + "; allowed is a text");
    value = found->get<std::string>();
  }
  void nothing_else() const {
    for (const auto& [key, value] : object_.items()) {
      if (!known_.contains(key)) refuse(key, "is no option of llamacpp_cuda");
    }
  }

 private:
  const json& object_;
  std::set<std::string> known_;
};

}  // namespace

Options parse_options(std::string_view config_json) {
  const json config = json::parse(config_json, nullptr, false);
  if (!config.is_object()) throw psw::Error(PSW_E_CONFIG, ": the options are no JSON object");
  Options options;
  Reader reader(config);
  reader.text("model", options.model);
  if (options.model.empty()) refuse("model", "is missing; name the GGUF file");
  reader.integer("n_ctx", options.n_ctx, 32, 16777216);
  reader.integer("n_gpu_layers", options.n_gpu_layers, -1, 100000);
  reader.integer("n_parallel", options.n_parallel, 1, 256);
  reader.integer("n_batch", options.n_batch, 32, 65536);
  reader.integer("threads", options.threads, 0, 1024);
  reader.boolean("flash_attention", options.flash_attention);
  reader.text("chat_template", options.chat_template);
  std::string format = "chat";
  reader.text("prompt_format", format);
  if (format != "chat" && format != "raw")
    refuse("prompt_format", "found \"" + format + "\"; allowed is chat or raw");
  options.raw_prompt = format == "raw";
  reader.boolean("deterministic", options.deterministic);
  reader.nothing_else();
  if (options.n_batch < options.sequences()) {
    refuse("n_batch", "is below n_parallel: each sequence needs a token a step");
  }
  if (options.share() < 32) {
    refuse("n_ctx", "leaves each of " + std::to_string(options.n_parallel) +
                        " sequences fewer than 32 tokens");
  }
  return options;
}

}  // namespace llamacpp
