// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <promptsweep/options.h>

namespace llamacpp {

using psw::lines::refuse_option;

Options parse_options(std::string_view config_json) {
  Options options;
  psw::lines::OptionReader reader(config_json, "llamacpp_cuda");
  reader.text("model", options.model);
  if (options.model.empty()) refuse_option("model", "is missing; name the GGUF file");
  reader.integer("n_ctx", options.n_ctx, 32, 16777216);
  reader.integer("n_gpu_layers", options.n_gpu_layers, -1, 100000);
  reader.integer("n_parallel", options.n_parallel, 1, 256);
  reader.integer("n_batch", options.n_batch, 32, 65536);
  reader.integer("threads", options.threads, 0, 1024);
  reader.boolean("flash_attention", options.flash_attention);
  reader.text("chat_template", options.chat_template);
  std::string format = "chat";
  reader.choice("prompt_format", format, {"chat", "raw"});
  options.raw_prompt = format == "raw";
  reader.boolean("deterministic", options.deterministic);
  reader.nothing_else();
  if (options.n_batch < options.sequences()) {
    refuse_option("n_batch", "is below n_parallel: each sequence needs a token a step");
  }
  if (options.share() < 32) {
    refuse_option("n_ctx", "leaves each of " + std::to_string(options.n_parallel) +
                               " sequences fewer than 32 tokens");
  }
  return options;
}

}  // namespace llamacpp
