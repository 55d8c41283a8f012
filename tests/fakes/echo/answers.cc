// SPDX-License-Identifier: Apache-2.0
#include "answers.h"

#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>
#include <sstream>
#include <vector>

namespace echo {
namespace {

using nlohmann::json;

constexpr const char* words[] = {"amber", "birch", "cedar", "delta",  "ember", "fjord",
                                 "grove", "haven", "iris",  "jade",   "karst", "lagoon",
                                 "maple", "north", "onyx",  "prairie"};

std::vector<std::string> split_words(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : " ") + part;
  return out;
}

// Lower case, and the typographic apostrophe as the plain one.
std::string plain_lower(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 3) == "\xE2\x80\x99") {
      out += '\'';
      i += 2;
    } else {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(text[i])));
    }
  }
  return out;
}

bool asks_for_abstention(std::string_view system) {
  const std::string text = plain_lower(system);
  return text.find("i don't know") != std::string::npos ||
         text.find("i do not know") != std::string::npos;
}

// The request's text by role, as far as echo looks at it.
struct Prompt {
  std::string system, user, all;
};

bool read_prompt(const json& request, Prompt& prompt) {
  const auto raw = request.find("prompt");
  if (raw != request.end() && raw->is_string()) {
    prompt.user = prompt.all = raw->get<std::string>();
    return true;
  }
  const auto messages = request.find("messages");
  if (messages == request.end() || !messages->is_array() || messages->empty()) return false;
  for (const json& message : *messages) {
    if (!message.is_object() || !message.contains("role") || !message.contains("content") ||
        !message["role"].is_string() || !message["content"].is_string()) {
      return false;
    }
    const std::string role = message["role"].get<std::string>();
    const std::string content = message["content"].get<std::string>();
    (role == "system" ? prompt.system : prompt.user) += content + "\n";
    prompt.all += role + "\n" + content + "\n";
  }
  return true;
}

// Everything of the request that may change a sampled answer.
std::uint64_t sampling_salt(const json& request) {
  if (request.value("temperature", 0.0) == 0.0) return 0;
  std::string text;
  for (const char* key : {"temperature", "top_p", "top_k", "seed"}) {
    const auto found = request.find(key);
    text += key;
    text += '=';
    if (found != request.end()) text += found->dump();
    text += ';';
  }
  return hash_of(text);
}

std::string hashed_words(std::uint64_t hash) {
  std::vector<std::string> out;
  const std::size_t count = 1 + hash % 4;
  for (std::size_t i = 0; i < count; ++i) out.emplace_back(words[(hash >> (8 + 8 * i)) % 16]);
  return join(out);
}

// A capitalised word that does not begin the text, chosen by the hash; else a hashed word.
std::string guess_from(std::string_view user, std::uint64_t hash) {
  std::vector<std::string> candidates;
  const std::vector<std::string> all = split_words(user);
  for (std::size_t i = 1; i < all.size(); ++i) {
    std::string word = all[i];
    while (!word.empty() && std::ispunct(static_cast<unsigned char>(word.back()))) word.pop_back();
    if (!word.empty() && std::isupper(static_cast<unsigned char>(word[0]))) {
      candidates.push_back(word);
    }
  }
  return candidates.empty() ? hashed_words(hash) : candidates[hash % candidates.size()];
}

std::string styled(std::string text, Style style) {
  if (style == Style::shout) {
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  } else if (style == Style::brief) {
    text = text.substr(0, text.find(' '));
  }
  return text;
}

Answer refused(std::string why) {
  Answer answer;
  answer.refused_request = true;
  answer.text = std::move(why);
  return answer;
}

}  // namespace

std::uint64_t hash_of(std::string_view text, std::uint64_t salt) {
  std::uint64_t h = 14695981039346656037ull ^ salt;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  h ^= h >> 30;
  h *= 0xbf58476d1ce4e5b9ull;
  h ^= h >> 27;
  h *= 0x94d049bb133111ebull;
  return h ^ (h >> 31);
}

double share_of(std::uint64_t hash) { return static_cast<double>(hash >> 11) * 0x1.0p-53; }

std::uint64_t count_words(std::string_view text) { return split_words(text).size(); }

std::uint64_t prompt_words(std::string_view request_line) {
  Prompt prompt;
  const json request = json::parse(request_line, nullptr, false);
  if (!request.is_object() || !read_prompt(request, prompt)) {
    throw psw::Error(PSW_E_INVALID_ARGUMENT, "not a request line");
  }
  return count_words(prompt.all);
}

Answers::Answers(const Options& options) : options_(options) {
  if (options.answers_file.empty()) return;
  std::ifstream in(options.answers_file);
  const json table = json::parse(in, nullptr, false);
  if (!table.is_object()) {
    throw psw::Error(PSW_E_CONFIG, "/answers_file: is not a file with a JSON object");
  }
  for (const auto& entry : table.items()) {
    if (entry.value().is_string()) known_[entry.key()] = entry.value().get<std::string>();
  }
}

Answer Answers::answer(const std::string& request_id, std::string_view request_line) const {
  const json request = json::parse(request_line, nullptr, false);
  Prompt prompt;
  if (!request.is_object() || !read_prompt(request, prompt)) {
    return refused("the request has neither messages nor a prompt");
  }
  if (!request.contains("max_tokens") || !request["max_tokens"].is_number_unsigned()) {
    return refused("the request has no max_tokens");
  }
  Answer answer;
  answer.model = request.contains("model") && request["model"].is_string()
                     ? request["model"].get<std::string>()
                     : std::string();
  answer.has_seed = request.contains("seed");
  const std::uint64_t salt = sampling_salt(request) ^ hash_of(answer.model);
  if (options_.mode == Mode::policy) {
    // Two hidden numbers of the item, the same whatever the system message says.
    const double refuses = share_of(hash_of(prompt.user, salt ^ 1));
    const double knows = share_of(hash_of(prompt.user, salt ^ 2));
    const double share =
        asks_for_abstention(prompt.system) ? options_.abstain_share : options_.guess_abstain_share;
    answer.text =
        refuses < share ? options_.refusal : guess_from(prompt.user, hash_of(prompt.user));
    if (refuses >= share && knows < options_.accuracy) {
      for (const auto& [question, right] : known_) {
        if (prompt.user.find(question) != std::string::npos) answer.text = right;
      }
    }
  } else {
    const bool by_id = options_.answer_from == AnswerFrom::request_id;
    answer.text = hashed_words(by_id ? hash_of(request_id) : hash_of(prompt.all, salt));
  }
  answer.text = styled(std::move(answer.text), options_.style);
  std::vector<std::string> tokens = split_words(answer.text);
  const std::uint64_t limit = request["max_tokens"].get<std::uint64_t>();
  if (tokens.size() > limit) {
    tokens.resize(static_cast<std::size_t>(limit));
    answer.text = join(tokens);
    answer.truncated = true;
  }
  answer.prompt_tokens = count_words(prompt.all);
  answer.completion_tokens = tokens.size();
  return answer;
}

std::string body_of(const Answer& answer, std::string_view text, std::string_view finish_reason,
                    double queue_ms, double total_ms, const std::string& remote_id) {
  json body = {{"text", text},
               {"finish_reason", finish_reason},
               {"model", answer.model},
               {"prompt_tokens", answer.prompt_tokens},
               {"prompt_tokens_evaluated", answer.prompt_tokens},
               {"completion_tokens", answer.completion_tokens},
               {"timings", {{"queue_ms", queue_ms}, {"total_ms", total_ms}}}};
  if (answer.has_seed) body["seed_honoured"] = true;
  if (!remote_id.empty()) body["remote_id"] = remote_id;
  return body.dump();
}

std::string identity_of(const Options& options, const std::string& secret_hash) {
  json identity = {{"engine", "echo"}, {"build", "1"}, {"label", options.label}};
  if (!secret_hash.empty()) identity["token_hash"] = secret_hash;
  return identity.dump();
}

}  // namespace echo
