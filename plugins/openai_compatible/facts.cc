// SPDX-License-Identifier: Apache-2.0
#include "facts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace openai {
namespace {

using nlohmann::json;

const json* member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_member(const json& object, const char* key) {
  const json* found = member(object, key);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::uint64_t> count_member(const json& object, const char* key) {
  const json* found = member(object, key);
  if (found == nullptr || !found->is_number() || found->get<double>() <= 0) return std::nullopt;
  return found->get<std::uint64_t>();
}

ListedModel read_model(const json& entry) {
  ListedModel out;
  out.id = text_member(entry, "id");
  out.owned_by = text_member(entry, "owned_by");
  out.max_model_len = count_member(entry, "max_model_len");
  const json* aliases = member(entry, "aliases");
  if (aliases != nullptr && aliases->is_array()) {
    for (const json& alias : *aliases) {
      if (alias.is_string()) out.aliases.push_back(alias.get<std::string>());
    }
  }
  const json* meta = member(entry, "meta");
  if (meta != nullptr && meta->is_object()) {
    for (const auto& [key, value] : meta->items()) {
      if (value.is_number()) out.meta[key] = value.dump();
      if (value.is_string()) out.meta[key] = value.get<std::string>();
    }
  }
  return out;
}

std::string_view file_name(std::string_view path) {
  const std::size_t slash = path.find_last_of("/\\");
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view without_extension(std::string_view name) {
  constexpr std::string_view extension = ".gguf";
  return name.ends_with(extension) ? name.substr(0, name.size() - extension.size()) : name;
}

}  // namespace

std::optional<std::vector<ListedModel>> read_models(std::string_view body) {
  const json document = json::parse(body, nullptr, false);
  const json* data = document.is_array() ? &document : member(document, "data");
  if (data == nullptr || !data->is_array()) return std::nullopt;
  std::vector<ListedModel> out;
  for (const json& entry : *data) {
    ListedModel model = read_model(entry);
    if (!model.id.empty()) out.push_back(std::move(model));
  }
  return out;
}

const ListedModel* find_model(const std::vector<ListedModel>& models, std::string_view wanted,
                              bool paths) {
  for (const ListedModel& model : models) {
    if (model.id == wanted) return &model;
    if (std::find(model.aliases.begin(), model.aliases.end(), wanted) != model.aliases.end())
      return &model;
  }
  if (!paths) return nullptr;
  for (const ListedModel& model : models) {
    if (without_extension(file_name(model.id)) == without_extension(wanted)) return &model;
  }
  return nullptr;
}

std::optional<Props> read_props(std::string_view body) {
  const json document = json::parse(body, nullptr, false);
  const json* settings = member(document, "default_generation_settings");
  if (settings == nullptr) return std::nullopt;
  Props out;
  out.build = text_member(document, "build_info");
  out.chat_template = text_member(document, "chat_template");
  out.context = count_member(*settings, "n_ctx");
  out.slots = count_member(document, "total_slots");
  return out;
}

std::optional<std::string> read_version(std::string_view body) {
  const json document = json::parse(body, nullptr, false);
  const std::string version = text_member(document, "version");
  return version.empty() ? std::nullopt : std::optional(version);
}

std::optional<LmStudioModel> read_lm_studio(std::string_view body, std::string_view model) {
  const json document = json::parse(body, nullptr, false);
  const json* data = member(document, "data");
  if (data == nullptr || !data->is_array()) return std::nullopt;
  for (const json& entry : *data) {
    // Members that only LM Studio's own list has.
    if (member(entry, "compatibility_type") == nullptr && member(entry, "arch") == nullptr)
      return std::nullopt;
    if (text_member(entry, "id") != model) continue;
    LmStudioModel out;
    out.architecture = text_member(entry, "arch");
    out.quantisation = text_member(entry, "quantization");
    out.context = count_member(entry, "loaded_context_length");
    if (!out.context) out.context = count_member(entry, "max_context_length");
    return out;
  }
  return LmStudioModel{};
}

std::string dialect_of(const std::vector<ListedModel>& models, std::string_view api_url) {
  if (api_url.starts_with("https://api.openai.com/")) return "openai";
  for (const ListedModel& model : models) {
    if (model.owned_by == "llamacpp" || model.meta.contains("n_ctx_train")) return "llama_server";
    if (model.owned_by == "vllm" || model.max_model_len) return "vllm";
  }
  return "";
}

}  // namespace openai
