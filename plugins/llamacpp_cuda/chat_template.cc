// SPDX-License-Identifier: Apache-2.0
#include "chat_template.h"

#include <llama.h>

#include <algorithm>
#include <promptsweep/backend.hpp>

namespace llamacpp {
namespace {

std::vector<std::string> known_names() {
  std::vector<const char*> names(
      static_cast<std::size_t>(std::max(0, llama_chat_builtin_templates(nullptr, 0))));
  llama_chat_builtin_templates(names.data(), names.size());
  std::vector<std::string> out(names.begin(), names.end());
  std::sort(out.begin(), out.end());
  return out;
}

[[noreturn]] void refuse(const std::string& text) {
  std::string names;
  for (const std::string& name : known_names()) names += (names.empty() ? "" : " ") + name;
  psw::Error error(PSW_E_CONFIG, "/chat_template: " + text + "; set chat_template to one of: " +
                                     names + "; or prompt_format: raw");
  error.scope = PSW_SCOPE_INSTANCE;
  throw error;
}

// Only white space between the system prompt and the user's text: no turn ends between them.
bool joined(const std::string& text, std::size_t from, std::size_t to) {
  return from <= to && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(from),
                                   text.begin() + static_cast<std::ptrdiff_t>(to),
                                   [](char c) { return c == ' ' || c == '\n'; });
}

}  // namespace

ChatTemplate::ChatTemplate(const std::string& own, const std::string& name)
    : text_(name.empty() ? own : name) {
  if (text_.empty()) refuse("the model brings no chat template");
  // llama.cpp would also guess from a part of a name ("mistral"); a guess is no setting.
  const std::vector<std::string> names = known_names();
  if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) {
    refuse("llama.cpp does not know \"" + name + "\"");
  }
  const std::string system = "PSW-SYSTEM-PROBE", user = "PSW-USER-PROBE";
  std::string probe;
  try {
    probe = render({{"system", system}, {"user", user}});
  } catch (const psw::Error&) {
    refuse("llama.cpp does not know the model's own template");
  }
  const std::size_t at_system = probe.find(system), at_user = probe.find(user);
  if (at_system == std::string::npos || at_user == std::string::npos) {
    refuse("this template drops the system prompt");
  }
  merges_system_ = joined(probe, at_system + system.size(), at_user);
}

std::string ChatTemplate::render(const std::vector<Message>& messages) const {
  std::vector<llama_chat_message> chat;
  std::size_t size = 256;
  for (const Message& message : messages) {
    // The C API takes C strings: the rest would be lost.
    if (message.content.find('\0') != std::string::npos) {
      throw psw::Error(PSW_E_INVALID_ARGUMENT, "a message holds a zero byte");
    }
    chat.push_back({message.role.c_str(), message.content.c_str()});
    size += 2 * (message.role.size() + message.content.size());
  }
  std::string out(size, '\0');
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::int32_t needed =
        llama_chat_apply_template(text_.c_str(), chat.data(), chat.size(), true, out.data(),
                                  static_cast<std::int32_t>(out.size()));
    if (needed < 0) throw psw::Error(PSW_E_CONFIG, "llama.cpp does not know this chat template");
    const bool fits = static_cast<std::size_t>(needed) <= out.size();
    out.resize(static_cast<std::size_t>(needed));
    if (fits) return out;
  }
  throw psw::Error(PSW_E_INTERNAL, "a chat template changed its size");
}

}  // namespace llamacpp
