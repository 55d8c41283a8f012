// SPDX-License-Identifier: Apache-2.0
// A loaded model: weights, vocabulary, chat template. Immutable after construction, so that any
// thread may render and tokenize.
#pragma once

#include <llama.h>
#include <promptsweep/lines.h>

#include <memory>
#include <optional>
#include <promptsweep/backend.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "chat_template.h"
#include "options.h"

namespace llamacpp {

using psw::lines::parse_query;
using psw::lines::Query;

class Model {
 public:
  // Loads the weights; host.progress hears of it, host.should_stop ends it. Throws psw::Error.
  Model(const psw::Host& host, const Options& options);

  llama_model* get() const { return model_.get(); }
  const llama_vocab* vocab() const { return llama_model_get_vocab(model_.get()); }
  const std::string& name() const { return name_; }

  // The prompt's tokens as the model sees them. Special tokens come from the template alone: a
  // message that itself holds the text of a control token is refused (PSW_E_INVALID_ARGUMENT),
  // since it would end a turn or forge one. A raw prompt is plain text throughout.
  std::vector<llama_token> prompt_tokens(const Query& query) const;
  std::string piece(llama_token token) const;

  // psw.identity/1 as JSON.
  std::string identity() const;

 private:
  void load(const psw::Host& host, const Options& options);
  std::string metadata(const char* key) const;
  std::vector<llama_token> raw_tokens(const Query& query) const;
  std::vector<llama_token> tokenize(std::string_view text, bool add_special,
                                    bool parse_special) const;
  void refuse_control_tokens(std::string_view text) const;
  void drop_added_end(std::vector<llama_token>& tokens) const;

  struct Free {
    void operator()(llama_model* model) const { llama_model_free(model); }
  };
  std::unique_ptr<llama_model, Free> model_;
  std::string sha256_, name_, device_;
  std::optional<ChatTemplate> template_;  // none: prompt_format is raw
};

// The first GPU that llama.cpp can use, or "CPU".
std::string device_name();

}  // namespace llamacpp
