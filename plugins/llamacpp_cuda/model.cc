// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include <ggml-backend.h>
#include <promptsweep/sha256.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "weights.h"

namespace llamacpp {
namespace {

psw::Error config_error(const std::string& text) {
  psw::Error error(PSW_E_CONFIG, text);
  error.scope = PSW_SCOPE_INSTANCE;
  return error;
}

bool on_progress(float share, void* host) {
  const auto& services = *static_cast<const psw::Host*>(host);
  services.progress(static_cast<std::uint64_t>(share * 1000), 1000, "loading the model");
  return !services.should_stop();
}

}  // namespace

std::string device_name() {
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_GPU)
      return ggml_backend_dev_description(device);
  }
  return "CPU";
}

Model::Model(const psw::Host& host, const Options& options)
    : device_(options.n_gpu_layers == 0 ? "CPU" : device_name()) {
  sha256_ = sha256_of(find_weights(options.model), host);
  load(host, options);
  name_ = metadata("general.name");
  if (name_.empty()) name_ = std::filesystem::path(options.model).filename().string();
  if (options.raw_prompt) return;
  const char* own = llama_model_chat_template(model_.get(), nullptr);
  template_.emplace(own == nullptr ? "" : own, options.chat_template);
  if (template_->merges_system()) {
    host.log(PSW_LOG_WARN, name_ +
                               " has no system role: its template puts the system prompt into "
                               "the user turn");
  }
}

void Model::load(const psw::Host& host, const Options& options) {
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = options.n_gpu_layers;
  params.progress_callback = &on_progress;
  params.progress_callback_user_data = const_cast<psw::Host*>(&host);
  model_.reset(llama_model_load_from_file(options.model.c_str(), params));
  if (!model_ && host.should_stop())
    throw psw::Error(PSW_E_CANCELLED, "stopped while loading the model");
  if (!model_)
    throw config_error("/model: llama.cpp cannot load " + options.model + "; its log says why");
  // The loop of the engine continues texts token by token; llama.cpp aborts on other kinds.
  if (llama_model_has_encoder(model_.get()) || !llama_model_has_decoder(model_.get()) ||
      llama_model_is_diffusion(model_.get())) {
    throw config_error("/model: " + options.model +
                       " is no model that continues a text; allowed are decoder-only models");
  }
}

std::string Model::metadata(const char* key) const {
  std::string out(256, '\0');
  const std::int32_t size = llama_model_meta_val_str(model_.get(), key, out.data(), out.size());
  out.resize(size < 0 ? 0 : std::min<std::size_t>(static_cast<std::size_t>(size), out.size() - 1));
  return out;
}

std::vector<llama_token> Model::tokenize(std::string_view text, bool add_special,
                                         bool parse_special) const {
  std::vector<llama_token> out(text.size() + 8);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::int32_t count =
        llama_tokenize(vocab(), text.data(), static_cast<std::int32_t>(text.size()), out.data(),
                       static_cast<std::int32_t>(out.size()), add_special, parse_special);
    out.resize(static_cast<std::size_t>(count < 0 ? -count : count));
    if (count >= 0) return out;
  }
  throw psw::Error(PSW_E_INTERNAL, "llama.cpp cannot tokenize this text");
}

// An unknown token counts when its own text stands there ("<unk>"), not when it stands for a
// character that the vocabulary lacks.
void Model::refuse_control_tokens(std::string_view text) const {
  constexpr int special = LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN;
  for (const llama_token token : tokenize(text, false, true)) {
    const std::string name = llama_vocab_get_text(vocab(), token);
    if ((llama_vocab_get_attr(vocab(), token) & special) != 0 &&
        text.find(name) != std::string_view::npos) {
      throw psw::Error(PSW_E_INVALID_ARGUMENT,
                       "the text holds the model's control token " + name +
                           ", which would change the turns of the conversation");
    }
  }
}

std::vector<llama_token> Model::prompt_tokens(const Query& query) const {
  if (query.prompt || !template_) return raw_tokens(query);
  for (const Message& message : query.messages) refuse_control_tokens(message.content);
  std::vector<llama_token> out = tokenize(template_->render(query.messages), true, true);
  drop_added_end(out);
  // Some templates write the beginning-of-text token that the tokenizer adds as well.
  const llama_token bos = llama_vocab_bos(vocab());
  if (out.size() > 1 && bos != LLAMA_TOKEN_NULL && out[0] == bos && out[1] == bos)
    out.erase(out.begin());
  return out;
}

std::vector<llama_token> Model::raw_tokens(const Query& query) const {
  std::string text = query.prompt.value_or("");
  for (const Message& message : query.messages)
    text += (text.empty() ? "" : "\n\n") + message.content;
  std::vector<llama_token> out = tokenize(text, true, false);
  drop_added_end(out);
  // An empty raw prompt starts at the beginning of a text where the model has a token for that.
  if (out.empty() && llama_vocab_bos(vocab()) != LLAMA_TOKEN_NULL)
    out.push_back(llama_vocab_bos(vocab()));
  if (out.empty()) throw psw::Error(PSW_E_INVALID_ARGUMENT, "the prompt is empty");
  return out;
}

// Some tokenizers end every text with a token that ends the answer before it begins.
void Model::drop_added_end(std::vector<llama_token>& tokens) const {
  if (llama_vocab_get_add_eos(vocab()) && !tokens.empty() &&
      tokens.back() == llama_vocab_eos(vocab())) {
    tokens.pop_back();
  }
}

std::string Model::piece(llama_token token) const {
  std::string out(64, '\0');
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::int32_t size = llama_token_to_piece(vocab(), token, out.data(),
                                                   static_cast<std::int32_t>(out.size()), 0, false);
    out.resize(static_cast<std::size_t>(size < 0 ? -size : size));
    if (size >= 0) return out;
  }
  return {};
}

std::string Model::identity() const {
  char description[128] = "";
  llama_model_desc(model_.get(), description, sizeof description);
  return nlohmann::json{
      {"engine", "llama.cpp"},
      {"build", LLAMA_BUILD_NAME},
      {"model_name", name_},
      {"model_sha256", sha256_},
      {"quantisation", description},
      {"template_sha256", template_ ? psw::lines::sha256_hex(template_->text()) : "raw"},
      {"system_role", !template_                   ? "none"
                      : template_->merges_system() ? "merged into the user turn"
                                                   : "own turn"},
      {"device", device_}}
      .dump();
}

}  // namespace llamacpp
