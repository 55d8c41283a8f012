// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE llamacpp_chat_template
#include "chat_template.h"

#include <boost/test/unit_test.hpp>
#include <promptsweep/backend.hpp>

using namespace llamacpp;

namespace {

const std::vector<Message> talk = {{"system", "Be brief."}, {"user", "Who wrote Emma?"}};

std::string refusal(const std::string& own, const std::string& name) {
  try {
    ChatTemplate chat(own, name);
  } catch (const psw::Error& error) {
    BOOST_TEST(error.code == PSW_E_CONFIG);
    BOOST_TEST(error.scope == PSW_SCOPE_INSTANCE);
    return error.text;
  }
  return "";
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_named_template_renders_and_opens_the_assistants_turn) {
  const ChatTemplate chat("", "chatml");
  BOOST_TEST(
      chat.render(talk) ==
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWho wrote Emma?<|im_end|>\n"
      "<|im_start|>assistant\n");
  BOOST_TEST(!chat.merges_system());
}

BOOST_AUTO_TEST_CASE(long_messages_are_rendered_whole) {
  // More markup than the first guess of the size leaves room for.
  std::vector<Message> many;
  for (int i = 0; i < 500; ++i) many.push_back({i % 2 == 0 ? "user" : "assistant", "x"});
  const std::string text = ChatTemplate("", "llama3").render(many);
  BOOST_TEST(text.ends_with("<|start_header_id|>assistant<|end_header_id|>\n\n"));
  std::size_t turns = 0;
  for (std::size_t at = text.find("<|eot_id|>"); at != std::string::npos;
       at = text.find("<|eot_id|>", at + 1)) {
    ++turns;
  }
  BOOST_TEST(turns == 500u);
}

BOOST_AUTO_TEST_CASE(the_models_own_template_is_recognised_and_a_name_overrules_it) {
  const std::string own = "{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}";
  BOOST_TEST(ChatTemplate(own, "").render(talk) == ChatTemplate("", "chatml").render(talk));
  BOOST_TEST(ChatTemplate(own, "llama3").render(talk) == ChatTemplate("", "llama3").render(talk));
}

BOOST_AUTO_TEST_CASE(a_model_without_a_system_role_keeps_the_system_prompt_and_says_so) {
  for (const char* name : {"gemma", "mistral-v1", "llama2"}) {
    const ChatTemplate chat("", name);
    BOOST_TEST(chat.merges_system(), name);
    const std::string text = chat.render(talk);
    BOOST_TEST(text.find("Be brief.") < text.find("Who wrote Emma?"), name);
  }
  for (const char* name : {"llama3", "llama2-sys", "mistral-v7", "phi4", "vicuna", "deepseek"}) {
    BOOST_TEST(!ChatTemplate("", name).merges_system(), name);
  }
}

BOOST_AUTO_TEST_CASE(what_llama_cpp_does_not_know_is_refused_with_the_remedy) {
  for (const std::string& text :
       {refusal("", ""), refusal("{{ messages }}", ""), refusal("", "no-such-template"),
        // A part of a name, and a template where a name belongs: llama.cpp would guess.
        refusal("", "mistral"), refusal("", "<|im_start|>")}) {
    BOOST_TEST(text.starts_with("/chat_template: "));
    BOOST_TEST(text.find(" chatml ") != std::string::npos);
    BOOST_TEST(text.find("prompt_format: raw") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_zero_byte_is_refused_for_the_rest_would_be_lost) {
  const ChatTemplate chat("", "chatml");
  const std::vector<Message> cut = {{"system", "a"}, {"user", std::string("b\0c", 3)}};
  BOOST_CHECK_EXCEPTION(chat.render(cut), psw::Error, [](const psw::Error& error) {
    return error.code == PSW_E_INVALID_ARGUMENT;
  });
}
