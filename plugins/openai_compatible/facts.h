// SPDX-License-Identifier: Apache-2.0
// What servers tell of themselves. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace openai {

struct ListedModel {  // of /v1/models
  std::string id, owned_by;
  std::vector<std::string> aliases;
  std::optional<std::uint64_t> max_model_len;  // vLLM
  // llama-server's `meta`, as texts: n_params, size, n_vocab, n_ctx_train and so on.
  std::map<std::string, std::string> meta;
};
// nullopt: no list of models.
std::optional<std::vector<ListedModel>> read_models(std::string_view body);

// The model that `wanted` names: by id, alias, or for llama-server the file name of its path, with
// or without .gguf. nullptr: none.
const ListedModel* find_model(const std::vector<ListedModel>& models, std::string_view wanted,
                              bool paths);

struct Props {  // of llama-server's /props
  std::string build, chat_template;
  std::optional<std::uint64_t> context;  // of one slot
  std::optional<std::uint64_t> slots;
};
std::optional<Props> read_props(std::string_view body);

std::optional<std::string> read_version(std::string_view body);  // vLLM's /version

struct LmStudioModel {  // of LM Studio's /api/v0/models
  std::string architecture, quantisation;
  std::optional<std::uint64_t> context;
};
// nullopt: no answer of LM Studio. An empty one: it does not list this model.
std::optional<LmStudioModel> read_lm_studio(std::string_view body, std::string_view model);

// The dialect that a list of models speaks for; empty: it could be any.
std::string dialect_of(const std::vector<ListedModel>& models, std::string_view api_url);

}  // namespace openai
