// SPDX-License-Identifier: Apache-2.0
// Asks llama.cpp itself: how it cuts a text, or what a model answers greedily.
//
//   llama_probe MODEL tokenize            stdin: texts, each ended by NUL
//                                         stdout: one line of ids for each text
//   llama_probe MODEL answer MAX_TOKENS   stdin: system and user text in turn, each ended by NUL
//                                         stdout: the number of prompt tokens, a space, the answer,
//                                         NUL
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "llama.h"

namespace {

[[noreturn]] void fail(const std::string& message) {
  std::cerr << "llama_probe: " << message << "\n";
  std::exit(1);
}

std::vector<std::string> read_texts() {
  const std::string all{std::istreambuf_iterator<char>(std::cin), {}};
  std::vector<std::string> texts;
  for (size_t from = 0; from < all.size();) {
    const size_t to = all.find('\0', from);
    if (to == std::string::npos) fail("the last text is not ended by NUL");
    texts.push_back(all.substr(from, to - from));
    from = to + 1;
  }
  return texts;
}

std::vector<llama_token> tokenize(const llama_vocab* vocab, const std::string& text) {
  std::vector<llama_token> ids(text.size() + 8);
  const int n = llama_tokenize(vocab, text.data(), static_cast<int32_t>(text.size()), ids.data(),
                               static_cast<int32_t>(ids.size()), true, true);
  if (n < 0) fail("tokenize");
  ids.resize(static_cast<size_t>(n));
  return ids;
}

std::string render(const llama_model* model, const std::string& system, const std::string& user) {
  const char* chat_template = llama_model_chat_template(model, nullptr);
  if (!chat_template) fail("the model has no chat template");
  const llama_chat_message messages[] = {{"system", system.c_str()}, {"user", user.c_str()}};
  std::string text(system.size() + user.size() + 1024, '\0');
  const int n = llama_chat_apply_template(chat_template, messages, 2, true, text.data(),
                                          static_cast<int32_t>(text.size()));
  if (n < 0 || static_cast<size_t>(n) > text.size())
    fail("llama.cpp does not know the chat template");
  text.resize(static_cast<size_t>(n));
  return text;
}

std::string answer(llama_context* context, const llama_vocab* vocab,
                   std::vector<llama_token> prompt, int max_tokens) {
  llama_memory_clear(llama_get_memory(context), true);
  const int pieces = llama_vocab_n_tokens(vocab);
  std::string text;
  std::vector<llama_token> next = std::move(prompt);
  for (int made = 0; made < max_tokens; ++made) {
    if (llama_decode(context,
                     llama_batch_get_one(next.data(), static_cast<int32_t>(next.size()))) != 0)
      fail("decode");
    const float* logits = llama_get_logits_ith(context, -1);
    const llama_token best =
        static_cast<llama_token>(std::max_element(logits, logits + pieces) - logits);
    if (llama_vocab_is_eog(vocab, best)) break;
    char piece[256];
    const int n = llama_token_to_piece(vocab, best, piece, sizeof piece, 0, false);
    if (n > 0) text.append(piece, static_cast<size_t>(n));
    next.assign(1, best);
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 2 ? argv[2] : "";
  if (!((mode == "tokenize" && argc == 3) || (mode == "answer" && argc == 4)))
    fail("usage: llama_probe MODEL tokenize | llama_probe MODEL answer MAX_TOKENS");
  llama_log_set(
      [](ggml_log_level level, const char* text, void*) {
        if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
      },
      nullptr);
  llama_backend_init();
  llama_model_params model_params = llama_model_default_params();
  model_params.vocab_only = mode == "tokenize";
  llama_model* model = llama_model_load_from_file(argv[1], model_params);
  if (!model) fail(std::string("cannot load ") + argv[1]);
  const llama_vocab* vocab = llama_model_get_vocab(model);
  const std::vector<std::string> texts = read_texts();

  if (mode == "tokenize") {
    for (const std::string& text : texts) {
      for (const llama_token id : tokenize(vocab, text)) std::cout << id << ' ';
      std::cout << '\n';
    }
  } else {
    llama_context_params context_params = llama_context_default_params();
    context_params.n_ctx = 512;
    context_params.n_threads = context_params.n_threads_batch = 1;
    llama_context* context = llama_init_from_model(model, context_params);
    if (!context) fail("cannot make a context");
    for (size_t i = 0; i + 1 < texts.size(); i += 2) {
      std::vector<llama_token> prompt = tokenize(vocab, render(model, texts[i], texts[i + 1]));
      const size_t length = prompt.size();
      std::cout << length << ' ' << answer(context, vocab, std::move(prompt), std::atoi(argv[3]))
                << '\0';
    }
    llama_free(context);
  }
  llama_model_free(model);
  llama_backend_free();
}
