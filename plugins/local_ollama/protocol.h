// SPDX-License-Identifier: Apache-2.0
// Ollama's native language: request lines as bodies of /api/chat and /api/generate, replies as
// records, and what its other calls say. Pure; any thread.
#pragma once

#include <promptsweep/http/client.h>
#include <promptsweep/http/request_jobs.h>
#include <promptsweep/lines.h>

#include <array>
#include <cstdint>
#include <optional>
#include <promptsweep/backend.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "options.h"

namespace ollama {

// ---- what the server says of itself ------------------------------------------------------------

struct Version {
  std::string text;
  // A build without a number (its developers' say 0.0.0) counts as new.
  std::array<int, 3> number{999, 0, 0};

  bool at_least(int major, int minor, int patch) const {
    return number >= std::array<int, 3>{major, minor, patch};
  }
  // From here on `truncate` and `shift` are obeyed.
  bool refuses_long_prompts() const { return at_least(0, 12, 4); }
  // Cached tokens were left out of prompt_eval_count by early releases and by 0.30.0.
  bool counts_whole_prompts() const {
    return at_least(0, 3, 0) && number != std::array<int, 3>{0, 30, 0};
  }
};
std::optional<Version> read_version(std::string_view body);

struct Listed {
  std::string name, digest;
};
// The models of /api/tags or /api/ps.
std::vector<Listed> read_models(std::string_view body);
// "llama3.2" is "llama3.2:latest".
bool is_same_model(std::string_view a, std::string_view b);

struct ModelFacts {  // of /api/show
  std::string quantisation, family, parameter_size, template_text;
  std::vector<std::string> capabilities;  // empty: the server does not say
  std::uint64_t context_length = 0;       // 0: not known
  std::vector<std::string> stops;         // that the model brings
  bool can(std::string_view capability) const;
};
ModelFacts read_facts(std::string_view body);

struct Loaded {  // of /api/ps
  std::uint64_t size = 0, size_vram = 0;
  std::optional<std::uint64_t> context_length;
};
std::optional<Loaded> read_loaded(std::string_view body, std::string_view model);

// ---- requests ----------------------------------------------------------------------------------

class Language {
 public:
  Language(Options options, Version version, ModelFacts facts);

  // The path that a line is sent to.
  const char* path(const psw::lines::Query& query) const;
  // Throws psw::http::NotSent(PSW_OUTCOME_PROMPT_TRUNCATED) on servers that would cut the prompt.
  std::string body(const psw::lines::Query& query) const;
  psw::http::Verdict judge(const psw::http::Reply& reply) const;
  psw::http::Record record(const psw::Request& line, const psw::http::Reply& reply) const;

  std::string load_body() const;    // /api/generate without a prompt: load it, or
  std::string unload_body() const;  // throw it out

 private:
  Options options_;
  Version version_;
  ModelFacts facts_;
};

// A failed call as an error: server down, model absent, memory short and the rest, each with what
// helps.
psw::Error explain(std::string_view what, const psw::http::Reply& reply, const Options& options);

// Whether `tokens` are too few for the texts of `query` in any tokenizer: more than 8 characters
// for each, where runs of white space and of one character count as one. A chat's template has
// tokens of its own; a raw prompt without it gets 64 characters to spare.
bool is_too_few(std::uint64_t tokens, const psw::lines::Query& query);

// The server's words for memory that is short.
bool speaks_of_memory(std::string_view text);
// The tail of a text is one short piece, more than 30 times: what Ollama aborts.
bool ends_in_repetition(std::string_view text);

}  // namespace ollama
