// SPDX-License-Identifier: Apache-2.0
// Messages to one text, by a chat template that llama.cpp's C API knows (it runs no Jinja: it
// recognises templates). Immutable after construction.
#pragma once

#include <promptsweep/lines.h>

#include <string>
#include <vector>

namespace llamacpp {

using psw::lines::Message;

class ChatTemplate {
 public:
  // `own` is the template that the model brings, or empty; `name`, when not empty, one of the names
  // that llama.cpp knows, and decides. Throws psw::Error(PSW_E_CONFIG) with the remedy when
  // llama.cpp cannot render the template or it would drop the system prompt, which is the treatment
  // of the experiment.
  ChatTemplate(const std::string& own, const std::string& name);

  // Ends with the beginning of the assistant's turn. Throws psw::Error.
  std::string render(const std::vector<Message>& messages) const;

  // The model has no system role: llama.cpp puts the system prompt before the user's text.
  bool merges_system() const { return merges_system_; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool merges_system_ = false;
};

}  // namespace llamacpp
