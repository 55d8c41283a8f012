// SPDX-License-Identifier: Apache-2.0
// The server and its model, as they are checked before the first request and before each job.
#pragma once

#include <promptsweep/http/client.h>
#include <promptsweep/http/openai_chat.h>

#include <functional>
#include <memory>
#include <optional>
#include <promptsweep/backend.hpp>
#include <string>

#include "facts.h"
#include "options.h"

namespace openai {

class Server {
 public:
  // Reachable, takes the key, has the model. Waits for a server that is loading its model. Throws
  // psw::Error with one sentence that says what helps.
  Server(const psw::Host& host, const Options& options, psw::http::Client& client);

  const psw::http::ChatWriter& writer() const { return *writer_; }
  const std::string& identity() const { return identity_; }
  // Tokens of prompt and answer together; nullopt: the server does not say.
  std::optional<std::uint64_t> context() const { return context_; }

  // Throws PSW_E_STATE where another engine or model answers now: one arm never holds answers of
  // two. What the server does not tell is not compared.
  void check_identity(const std::function<bool()>& should_stop);

 private:
  using Stop = std::function<bool()>;
  struct Seen {
    std::string dialect, identity;
    std::optional<std::uint64_t> context, slots;
  };

  psw::http::Request get(const std::string& url) const;
  Seen look(const Stop& should_stop);
  std::vector<ListedModel> list_models(const Stop& should_stop);
  const ListedModel& choose(const std::vector<ListedModel>& models,
                            const std::string& dialect) const;
  std::string find_dialect(const std::vector<ListedModel>& models, const Stop& should_stop);
  psw::Error explain(const psw::http::Reply& reply, const std::string& url) const;
  void warn_of_plain_http() const;

  const psw::Host& host_;
  const Options options_;
  psw::http::Client& client_;
  std::string dialect_;
  std::string identity_;
  std::optional<std::uint64_t> context_;
  std::unique_ptr<psw::http::ChatWriter> writer_;
};

}  // namespace openai
