// SPDX-License-Identifier: Apache-2.0
#include "settings.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

namespace promptsweep::emulator {
namespace {

using Take = std::function<bool(const std::string&)>;

template <typename Number>
bool read_number(const std::string& text, Number& out) {
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, out);
  return failure == std::errc() && stop == end;
}

template <typename Number>
Take number(Number& out) {
  return [&out](const std::string& text) {
    if constexpr (std::is_signed_v<Number>) {
      return read_number(text, out) && out >= 0;
    } else {
      return read_number(text, out);
    }
  };
}

Take text(std::string& out) {
  return [&out](const std::string& value) {
    out = value;
    return !value.empty();
  };
}

// "50@0,100@15": steps in ascending order of time.
bool read_capacity(const std::string& spec, std::vector<CapacityStep>& steps) {
  steps.clear();
  for (std::size_t begin = 0; begin <= spec.size();) {
    const std::size_t end = std::min(spec.find(',', begin), spec.size());
    const std::string part = spec.substr(begin, end - begin);
    const std::size_t at = part.find('@');
    CapacityStep step;
    if (!read_number(part.substr(0, at), step.requests)) return false;
    if (at != std::string::npos && !read_number(part.substr(at + 1), step.second)) return false;
    if (!steps.empty() && step.second <= steps.back().second) return false;
    steps.push_back(step);
    begin = end + 1;
  }
  return !steps.empty();
}

std::map<std::string, Take> takers(Settings& s) {
  return {
      {"port", number(s.port)},
      {"answers", text(s.answers)},
      {"faults", text(s.faults)},
      {"seed", number(s.seed)},
      {"key", text(s.key)},
      {"model",
       [&s](const std::string& name) {
         s.models.push_back(name);
         return !name.empty();
       }},
      {"latency-ms", number(s.latency_ms)},
      {"capacity", [&s](const std::string& spec) { return read_capacity(spec, s.capacity); }},
      {"parallel", number(s.parallel)},
      {"num-ctx", number(s.num_ctx)},
      {"context", number(s.context)},
      {"version", text(s.version)},
      {"load-ms", number(s.load_ms)},
      {"max-queue", number(s.max_queue)},
      {"dialect",
       [&s](const std::string& name) {
         s.dialect = name;
         return name == "llama" || name == "vllm" || name == "openai";
       }},
      {"loading-ms", number(s.loading_ms)},
      {"job-ms", number(s.job_ms)},
      {"ready-polls", number(s.ready_polls)},
      {"url-seconds", number(s.url_seconds)},
      {"max-jobs", number(s.max_jobs)},
      {"shards", number(s.shards)},
  };
}

}  // namespace

std::string read_command_line(int argc, char** argv, Settings& settings) {
  if (argc < 2) return "name a service";
  settings.service = argv[1];
  if (settings.service != "ollama" && settings.service != "fireworks" &&
      settings.service != "openai") {
    return "unknown service \"" + settings.service + "\"; there are ollama, fireworks, openai";
  }
  if (settings.service == "ollama") settings.parallel = 4;
  const auto takers_by_name = takers(settings);
  for (int i = 2; i < argc; ++i) {
    std::string name = argv[i], value;
    const std::size_t equals = name.find('=');
    const bool joined = equals != std::string::npos;
    if (joined) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    std::replace(name.begin(), name.end(), '_', '-');
    if (name == "--list-faults") {
      settings.list_faults = true;
      continue;
    }
    if (name == "--thinking") {
      settings.thinking = true;
      continue;
    }
    const auto taker =
        name.rfind("--", 0) == 0 ? takers_by_name.find(name.substr(2)) : takers_by_name.end();
    if (taker == takers_by_name.end()) return "unknown option " + name;
    if (!joined) {
      if (++i == argc) return name + " needs a value";
      value = argv[i];
    }
    // The value of --key is a secret, so no value is repeated.
    if (!taker->second(value)) return name + ": the value does not fit";
  }
  // A hidden capacity is what rejects; requests must not wait for slots in front of it.
  if (!settings.capacity.empty()) settings.parallel = 0;
  settings.shards = std::max<std::size_t>(settings.shards, 1);
  if (settings.models.empty()) {
    settings.models.push_back(settings.service == "fireworks" ? "accounts/fireworks/models/emulated"
                              : settings.service == "ollama"  ? "emulated:latest"
                                                              : "emulated");
  }
  return "";
}

std::string usage() {
  return "promptsweep-emulator SERVICE [options]\n"
         "SERVICE: ollama, fireworks or openai. Listens on the loopback address only.\n"
         "  --port N --answers FILE.jsonl --faults FILE.json --list-faults --seed N --key KEY\n"
         "  --model NAME (repeatable) --latency-ms N --capacity \"50@0,100@15,25@30\"\n"
         "  --parallel N --num-ctx N --context N\n"
         "  ollama: --version V --thinking --load-ms N --max-queue N\n"
         "  openai: --dialect llama|vllm|openai --loading-ms N\n"
         "  fireworks: --job-ms N --ready-polls N --url-seconds N --max-jobs N --shards N\n"
         "tests/emulators/README.md says more.\n";
}

}  // namespace promptsweep::emulator
