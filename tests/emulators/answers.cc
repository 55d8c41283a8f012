// SPDX-License-Identifier: Apache-2.0
#include "answers.h"

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

constexpr const char* words[] = {
    "amber",   "birch",  "cobalt", "delta",  "ember",  "fern",  "granite", "harbor", "indigo",
    "juniper", "kelp",   "lumen",  "maple",  "nickel", "onyx",  "pepper",  "quartz", "river",
    "slate",   "tundra", "umber",  "violet", "willow", "xenon", "yarrow",  "zephyr"};

class Hasher {
 public:
  void add(std::string_view bytes) { state_ = hash64(bytes, mixed(state_ + bytes.size())); }
  void add(std::uint64_t bits) { state_ = mixed(state_ ^ mixed(bits)); }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15;
};

std::uint64_t bits_of(double number) {
  std::uint64_t bits;
  if (number == 0) number = 0;  // one zero
  std::memcpy(&bits, &number, sizeof bits);
  return bits;
}

// One user message and a bare prompt are different questions.
void add_text(Hasher& hash, const Question& q) {
  if (q.prompt) {
    hash.add("prompt");
    hash.add(*q.prompt);
    return;
  }
  for (const Message& message : q.messages) {
    hash.add(message.role);
    hash.add(message.content);
  }
}

std::uint64_t replay_key(const Question& q, bool with_seed) {
  Hasher hash;
  add_text(hash, q);
  hash.add(q.temperature ? bits_of(*q.temperature) : 1u);
  hash.add(with_seed && q.seed ? static_cast<std::uint64_t>(*q.seed) : ~std::uint64_t{0});
  hash.add(with_seed && q.seed ? 1u : 0u);
  hash.add(q.max_tokens && *q.max_tokens >= 0 ? static_cast<std::uint64_t>(*q.max_tokens)
                                              : ~std::uint64_t{0});
  return hash.value();
}

template <typename Number>
std::optional<Number> number_at(const Json& object, const char* name) {
  const auto field = object.find(name);
  if (field == object.end() || !field->is_number()) return std::nullopt;
  return field->get<Number>();
}

std::string read_line(const Json& line, Question& question, Answer& answer) {
  if (!line.is_object()) return "is no object";
  if (line.contains("prompt")) {
    question.prompt = line.at("prompt").get<std::string>();
  } else if (line.contains("messages")) {
    for (const Json& message : line.at("messages")) {
      question.messages.push_back({message.at("role"), message.at("content")});
    }
  } else {
    return "has neither messages nor prompt";
  }
  question.temperature = number_at<double>(line, "temperature");
  question.seed = number_at<std::int64_t>(line, "seed");
  question.max_tokens = number_at<std::int64_t>(line, "max_tokens");
  answer.text = line.at("text").get<std::string>();
  answer.finish_reason = line.value("finish_reason", "stop");
  answer.prompt_tokens = number_at<std::int64_t>(line, "prompt_tokens").value_or(0);
  answer.completion_tokens =
      number_at<std::int64_t>(line, "completion_tokens").value_or(words_in(answer.text));
  return "";
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t state = 0xcbf29ce484222325 ^ seed;
  for (const char c : bytes) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return mixed(state);
}

std::uint64_t Question::hash() const {
  Hasher hash;
  hash.add(model);
  hash.add(replay_key(*this, true));
  return hash.value();
}

std::string Answers::load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return path + " cannot be read";
  std::string text;
  for (std::size_t number = 1; std::getline(in, text); ++number) {
    if (text.empty()) continue;
    Question question;
    Answer answer;
    std::string problem;
    try {
      problem = read_line(Json::parse(text), question, answer);
    } catch (const Json::exception& e) {
      problem = e.what();
    }
    if (!problem.empty()) return path + ", line " + std::to_string(number) + ": " + problem;
    replay_[replay_key(question, true)] = std::move(answer);
  }
  return "";
}

Answer Answers::answer(const Question& question) const {
  if (!replay_.empty()) {
    auto found = replay_.find(replay_key(question, true));
    if (found == replay_.end()) found = replay_.find(replay_key(question, false));
    if (found != replay_.end()) return found->second;
  }
  return derived(question);
}

Answer Answers::derived(const Question& question) const {
  Hasher hash;
  hash.add(seed_);
  hash.add(question.model);
  add_text(hash, question);
  const double temperature = question.temperature.value_or(1.0);
  hash.add(bits_of(temperature));
  // Greedy sampling knows no seed.
  if (temperature != 0 && question.seed) hash.add(static_cast<std::uint64_t>(*question.seed));
  std::uint64_t state = hash.value();
  const std::size_t count = 3 + state % 14;
  Answer answer;
  for (std::size_t i = 0; i < count; ++i) {
    state = mixed(state);
    answer.text += (i ? " " : "") + std::string(words[state % std::size(words)]);
  }
  for (const std::string& stop : question.stop) {
    if (!stop.empty()) answer.text.resize(std::min(answer.text.find(stop), answer.text.size()));
  }
  if (question.max_tokens && *question.max_tokens >= 0 &&
      words_in(answer.text) > *question.max_tokens) {
    answer.text = first_words(answer.text, *question.max_tokens);
    answer.finish_reason = "length";
  }
  answer.completion_tokens = words_in(answer.text);
  if (question.prompt) answer.prompt_tokens = words_in(*question.prompt);
  for (const Message& message : question.messages) {
    answer.prompt_tokens += words_in(message.content);
  }
  return answer;
}

std::int64_t words_in(std::string_view text) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_space(text[i]) && (i == 0 || is_space(text[i - 1]))) ++count;
  }
  return count;
}

std::vector<std::string> pieces_of(std::string_view text) {
  std::vector<std::string> pieces;
  std::size_t begin = 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (is_space(text[i]) && !is_space(text[i - 1])) {
      pieces.emplace_back(text.substr(begin, i - begin));
      begin = i;
    }
  }
  if (begin < text.size()) pieces.emplace_back(text.substr(begin));
  return pieces;
}

std::string first_words(std::string_view text, std::int64_t count) {
  std::string out;
  for (const std::string& piece : pieces_of(text)) {
    if (count-- <= 0) break;
    out += piece;
  }
  return out;
}

double logprob_of(std::string_view piece, std::size_t place) {
  return -static_cast<double>(hash64(piece, place) % 3000) / 1000.0;
}

}  // namespace promptsweep::emulator
