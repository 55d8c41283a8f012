// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include <ggml-backend.h>
#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace llamacpp {
namespace {

std::string to_hex(const unsigned char* bytes, unsigned size) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
  return out;
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void add(const char* bytes, std::size_t size) { EVP_DigestUpdate(context_.get(), bytes, size); }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    return to_hex(digest, size);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

std::string sha256_of_file(const std::string& path, const psw::Host& host) {
  std::ifstream in(path, std::ios::binary);
  std::error_code ignored;
  const std::uint64_t total = std::filesystem::file_size(path, ignored);
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  std::uint64_t done = 0;
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0) {
    hash.add(buffer.data(), static_cast<std::size_t>(in.gcount()));
    done += static_cast<std::uint64_t>(in.gcount());
    host.progress(done, total, "hashing the model");
    if (host.should_stop()) throw psw::Error(PSW_E_CANCELLED, "stopped while hashing the model");
  }
  return hash.hex();
}

std::string sha256_of_text(std::string_view text) {
  Sha256 hash;
  hash.add(text.data(), text.size());
  return hash.hex();
}

psw::Error config_error(const std::string& text) {
  psw::Error error(PSW_E_CONFIG, text);
  error.scope = PSW_SCOPE_INSTANCE;
  return error;
}

std::vector<std::string> builtin_templates() {
  std::vector<const char*> names(
      static_cast<std::size_t>(std::max(0, llama_chat_builtin_templates(nullptr, 0))));
  llama_chat_builtin_templates(names.data(), names.size());
  std::vector<std::string> out(names.begin(), names.end());
  std::sort(out.begin(), out.end());
  return out;
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
    : path_(options.model),
      device_(options.n_gpu_layers == 0 ? "CPU" : device_name()),
      raw_(options.raw_prompt) {
  if (!std::filesystem::is_regular_file(options.model))
    throw config_error("/model: there is no file " + options.model);
  sha256_ = sha256_of_file(options.model, host);
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = options.n_gpu_layers;
  params.progress_callback = &on_progress;
  params.progress_callback_user_data = const_cast<psw::Host*>(&host);
  model_.reset(llama_model_load_from_file(options.model.c_str(), params));
  if (!model_ && host.should_stop())
    throw psw::Error(PSW_E_CANCELLED, "stopped while loading the model");
  if (!model_)
    throw config_error("/model: llama.cpp cannot load " + options.model + "; its log says why");
  name_ = metadata("general.name");
  if (name_.empty()) name_ = std::filesystem::path(options.model).filename().string();
  if (!raw_) choose_template(options, host);
}

std::string Model::metadata(const char* key) const {
  std::string out(256, '\0');
  const std::int32_t size = llama_model_meta_val_str(model_.get(), key, out.data(), out.size());
  out.resize(size < 0 ? 0 : std::min<std::size_t>(static_cast<std::size_t>(size), out.size() - 1));
  return out;
}

// Refuses what the C API cannot render and templates that would drop the system prompt, which is
// the treatment of the experiment.
void Model::choose_template(const Options& options, const psw::Host& host) {
  const std::vector<std::string> known = builtin_templates();
  std::string remedy = "; set chat_template to one of:";
  for (const std::string& name : known) remedy += " " + name;
  remedy += "; or prompt_format: raw";
  // llama.cpp guesses a template from parts of any text; a name must be one of its names.
  if (!options.chat_template.empty() &&
      !std::binary_search(known.begin(), known.end(), options.chat_template)) {
    throw config_error("/chat_template: llama.cpp does not know \"" + options.chat_template + "\"" +
                       remedy);
  }
  const char* own = llama_model_chat_template(model_.get(), nullptr);
  template_ = !options.chat_template.empty() ? options.chat_template : own == nullptr ? "" : own;
  if (template_.empty()) {
    throw config_error("/chat_template: the model brings no chat template" + remedy);
  }
  const std::string system = "PSW-SYSTEM-PROBE", user = "PSW-USER-PROBE";
  std::string text;
  try {
    text = render({{"system", system}, {"user", user}});
  } catch (const psw::Error&) {
    throw config_error("/chat_template: llama.cpp does not know the model's own template" + remedy);
  }
  if (text.find(user) == std::string::npos || text.find(system) == std::string::npos) {
    throw config_error("/chat_template: this template drops the system prompt" + remedy);
  }
  for (const char* between : {"\n\n", "\n", " ", ""}) {
    merges_system_ = merges_system_ || text == render({{"user", system + between + user}});
  }
  if (merges_system_) {
    host.log(PSW_LOG_WARN,
             "llama.cpp: " + name_ +
                 " has no system role; its template puts the system prompt into the user turn");
  }
}

std::string Model::render(const std::vector<Message>& messages) const {
  std::vector<llama_chat_message> chat;
  std::size_t size = 256;
  for (const Message& message : messages) {
    chat.push_back({message.role.c_str(), message.content.c_str()});
    size += 2 * (message.role.size() + message.content.size());
  }
  std::string out(size, '\0');
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::int32_t needed =
        llama_chat_apply_template(template_.c_str(), chat.data(), chat.size(), true, out.data(),
                                  static_cast<std::int32_t>(out.size()));
    if (needed < 0) throw psw::Error(PSW_E_CONFIG, "llama.cpp does not know this chat template");
    const bool fits = static_cast<std::size_t>(needed) <= out.size();
    out.resize(static_cast<std::size_t>(needed));
    if (fits) return out;
  }
  throw psw::Error(PSW_E_INTERNAL, "a chat template changed its size");
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

void Model::refuse_control_tokens(std::string_view text) const {
  for (const llama_token token : tokenize(text, false, true)) {
    if (llama_vocab_is_control(vocab(), token)) {
      throw psw::Error(PSW_E_INVALID_ARGUMENT,
                       "the text holds the model's control token " +
                           std::string(llama_vocab_get_text(vocab(), token)) +
                           ", which would change the turns of the conversation");
    }
  }
}

std::vector<llama_token> Model::prompt_tokens(const Query& query) const {
  if (query.prompt || raw_) {
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
  for (const Message& message : query.messages) {
    if (message.content.find('\0') != std::string::npos) {
      throw psw::Error(PSW_E_INVALID_ARGUMENT,
                       "the text holds a NUL character, where llama.cpp would cut it off");
    }
    refuse_control_tokens(message.content);
  }
  std::vector<llama_token> out = tokenize(render(query.messages), true, true);
  drop_added_end(out);
  // Some templates write the beginning-of-text token that the tokenizer adds as well.
  const llama_token bos = llama_vocab_bos(vocab());
  if (out.size() > 1 && bos != LLAMA_TOKEN_NULL && out[0] == bos && out[1] == bos)
    out.erase(out.begin());
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
  return nlohmann::json{{"engine", "llama.cpp"},
                        {"build", LLAMA_BUILD_NAME},
                        {"model_name", name_},
                        {"model_sha256", sha256_},
                        {"quantisation", description},
                        {"template_sha256", raw_ ? "raw" : sha256_of_text(template_)},
                        {"system_role", raw_             ? "none"
                                        : merges_system_ ? "merged into the user turn"
                                                         : "own turn"},
                        {"device", device_}}
      .dump();
}

}  // namespace llamacpp
