// SPDX-License-Identifier: Apache-2.0
#include "token.h"

#include <nlohmann/json.hpp>

#include "numbers.h"

namespace fireworks {

using nlohmann::json;

std::string write_token(const Token& token) {
  return json{{"version", 1},
              {"job", token.job},
              {"dataset", token.dataset},
              {"output", token.output},
              {"continuations", token.continuations},
              {"account", token.account}}
      .dump();
}

std::optional<Token> read_token(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object() || object.value("version", json()) != 1) return std::nullopt;
  const auto name = [&](const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Token token{name("job"), name("dataset"), name("output"), 0, name("account")};
  token.continuations = static_cast<std::uint32_t>(count_in(object, "continuations").value_or(0));
  return token.job.empty() ? std::nullopt : std::optional(std::move(token));
}

}  // namespace fireworks
