// SPDX-License-Identifier: Apache-2.0
#include "resources.h"

#include <gguf.h>

#include <algorithm>
#include <memory>
#include <string>

#include "model.h"
#include "weights.h"

namespace llamacpp {
namespace {

std::uint64_t number_at(const gguf_context* file, const std::string& key, std::uint64_t fallback) {
  const std::int64_t at = gguf_find_key(file, key.c_str());
  if (at < 0) return fallback;
  switch (gguf_get_kv_type(file, at)) {
    case GGUF_TYPE_UINT32:
      return gguf_get_val_u32(file, at);
    case GGUF_TYPE_INT32:
      return static_cast<std::uint64_t>(gguf_get_val_i32(file, at));
    case GGUF_TYPE_UINT64:
      return gguf_get_val_u64(file, at);
    default:
      return fallback;
  }
}

}  // namespace

psw::Resources estimate_resources(const Options& options) {
  const auto problem = [&](const std::string& text) {
    return psw::Error(PSW_E_CONFIG, "/model: " + text + " " + options.model);
  };
  const std::uint64_t weights = find_weights(options.model).bytes;
  const std::unique_ptr<gguf_context, decltype(&gguf_free)> file(
      gguf_init_from_file(options.model.c_str(), {true, nullptr}), &gguf_free);
  if (!file) throw problem("no GGUF file:");
  const std::int64_t at = gguf_find_key(file.get(), "general.architecture");
  const std::string arch = at < 0 ? "llama" : gguf_get_val_str(file.get(), at);
  const std::uint64_t layers = number_at(file.get(), arch + ".block_count", 0);
  const std::uint64_t width = number_at(file.get(), arch + ".embedding_length", 0);
  const std::uint64_t heads =
      std::max<std::uint64_t>(1, number_at(file.get(), arch + ".attention.head_count", 1));
  const std::uint64_t kv_heads = number_at(file.get(), arch + ".attention.head_count_kv", heads);
  const std::uint64_t head = width / heads;
  const std::uint64_t head_width = number_at(file.get(), arch + ".attention.key_length", head) +
                                   number_at(file.get(), arch + ".attention.value_length", head);
  const std::uint64_t tokens = std::uint64_t{options.share()} * options.sequences();
  const std::uint64_t cache = tokens * layers * kv_heads * head_width * 2;

  psw::Resources out;
  // Offloaded layers take their share of weights and cache to the GPU.
  double share = device_name() == "CPU" || layers == 0 ? 0 : 1;
  if (share > 0 && options.n_gpu_layers >= 0) {
    share = std::min(1.0, options.n_gpu_layers / static_cast<double>(layers));
  }
  out.vram_bytes = static_cast<std::uint64_t>(share * static_cast<double>(weights + cache));
  out.ram_bytes = weights + cache - out.vram_bytes;
  out.basis = "file size and " + std::to_string(tokens) + " tokens of KV cache";
  return out;
}

}  // namespace llamacpp
