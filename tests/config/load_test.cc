// SPDX-License-Identifier: Apache-2.0
#include "config/load.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "base/env.h"
#include "config/options.h"
#include "temporary_folder.h"

using namespace promptsweep;
using nlohmann::json;

namespace {

struct Files {
  TemporaryFolder folder;

  Files() { std::filesystem::current_path(PROMPTSWEEP_SOURCE_DIR); }

  Result<SweepConfig> load(const std::string& text, const Overrides& overrides = {}) {
    BOOST_REQUIRE(write_file_atomic(folder / "c.yaml", text));
    return load_config(folder / "c.yaml", overrides);
  }
  SweepConfig good(const std::string& text, const Overrides& overrides = {}) {
    Result<SweepConfig> config = load(text, overrides);
    BOOST_REQUIRE_MESSAGE(config, (config ? "" : config.error().text));
    return std::move(config).value();
  }
  std::string problem(const std::string& text, const Overrides& overrides = {}) {
    Result<SweepConfig> config = load(text, overrides);
    BOOST_REQUIRE(!config);
    return config.error().text;
  }
};

const std::string sets =
    "prompt_sets:\n"
    "  a: {control: config/prompts/demo/control.txt, treatment: "
    "config/prompts/demo/half_dose.txt}\n"
    "  b: {control: config/prompts/demo/control.txt, treatment: "
    "config/prompts/demo/full_treatment.txt}\n"
    "task_instructions: {open_book: config/task_instructions/demo/open_book.txt, closed_book: "
    "config/task_instructions/demo/closed_book.txt}\n";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(load, Files)

BOOST_AUTO_TEST_CASE(defaults_are_those_of_the_original) {
  const SweepConfig config = good(sets + "model_id: m\n");
  BOOST_TEST(config.models.at(0).backend == "fireworks");
  BOOST_TEST((config.temps == std::vector<double>{0.0, 0.7}));
  BOOST_TEST(config.top_p == 1.0);
  BOOST_TEST(config.top_k == 50);
  BOOST_TEST(config.max_new_tokens.closed_book == 1024);
  BOOST_TEST(config.default_prompt_set == "a");  // alphabetically first
  BOOST_TEST(config.stats.bootstrap_samples == 5000);
  BOOST_TEST(config.pricing.batch_discount == 0.5);
  BOOST_TEST(!config.pricing.input_per_million.has_value());
}

BOOST_AUTO_TEST_CASE(temperature_keys_may_be_numbers_or_texts) {
  for (const char* key : {"0.25", "\"0.25\"", "'0.250'"}) {
    const SweepConfig config =
        good(sets + "model_id: m\ntemps: [0.25]\nsamples_per_item: {" + key + ": 3}\n");
    BOOST_TEST(config.samples_per_item.at("0.25") == 3);
    BOOST_TEST(config.samples_per_item.size() == 1u);
  }
  BOOST_TEST(
      problem(sets + "model_id: m\nsamples_per_item: {0.0: 1, \"0\": 2}\n").find("named twice") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_temperature_without_samples_gets_the_first_number_and_a_warning) {
  const SweepConfig config =
      good(sets + "model_id: m\ntemps: [0.0, 0.7]\nsamples_per_item: {0.0: 4}\n");
  BOOST_TEST(config.samples_per_item.at("0.7") == 4);
  BOOST_TEST(config.warnings.size() == 1u);
}

BOOST_AUTO_TEST_CASE(local_engines_mean_their_plugins) {
  SweepConfig config =
      good(sets +
           "backend: local\nlocal_engine: ollama\nmodel_id: m\nlocal_endpoint: http://127.0.0.1:1\n"
           "local_n_ctx: 4096\nmax_concurrent_requests: 3\n");
  BOOST_TEST(config.models.at(0).backend == "local_ollama");
  json options = json::parse(config.models.at(0).backend_options_json);
  BOOST_TEST(options == json({{"base_url", "http://127.0.0.1:1"},
                              {"num_ctx", 4096},
                              {"max_concurrent_requests", 3}}));
  config = good(sets +
                "backend: local\nlocal_engine: llama_cpp\nmodel_id: m\nlocal_model: "
                "a.gguf\nlocal_n_gpu_layers: -1\n");
  BOOST_TEST(config.models.at(0).backend == "llamacpp_cuda");
  options = json::parse(config.models.at(0).backend_options_json);
  BOOST_TEST(options == json({{"model", "a.gguf"}, {"n_gpu_layers", -1}}));
}

BOOST_AUTO_TEST_CASE(use_batch_api_chooses_the_mode_of_fireworks) {
  const auto options = [&](const std::string& text) {
    return good(sets + "model_id: m\n" + text).models.at(0).backend_options_json;
  };
  BOOST_TEST(options("use_batch_api: false\n") == R"({"mode":"realtime"})");
  BOOST_TEST(options("use_batch_api: true\n") == "{}");
  BOOST_TEST(options("use_batch_api: false\nbackend_options: {mode: batch}\n") ==
             R"({"mode":"batch"})");
  BOOST_TEST(options("use_batch_api: false\nbackend: echo\n") == "{}");
}

BOOST_AUTO_TEST_CASE(alt_loads_and_is_refused_at_run) {
  const SweepConfig config = good(sets + "backend: alt\nprovider: {name: openai, model: gpt}\n");
  BOOST_TEST(config.run_refusals.size() == 1u);
  BOOST_TEST(config.models.at(0).id == "gpt");
}

BOOST_AUTO_TEST_CASE(a_models_options_win_and_other_backends_do_not_get_the_global_ones) {
  const SweepConfig config =
      good(sets +
           "backend: echo\nbackend_options: {n_parallel: 2, style: plain}\n"
           "models:\n  - one\n  - {id: two, backend_options: {style: shout}}\n"
           "  - {id: three, backend: other, backend_options: {x: 1}}\n");
  BOOST_TEST(json::parse(config.models.at(0).backend_options_json) ==
             json({{"n_parallel", 2}, {"style", "plain"}}));
  BOOST_TEST(json::parse(config.models.at(1).backend_options_json) ==
             json({{"n_parallel", 2}, {"style", "shout"}}));
  BOOST_TEST(json::parse(config.models.at(2).backend_options_json) == json({{"x", 1}}));
}

BOOST_AUTO_TEST_CASE(a_plugins_complaint_gets_its_place) {
  const SweepConfig config =
      good(sets + "backend: echo\nmodels:\n  - id: one\n    backend_options:\n      n_ctx: 12\n");
  const std::string text = locate_option_error(config.models.at(0), "/n_ctx: 12 is below 32");
  BOOST_TEST(text.find("c.yaml:9:7 ") != std::string::npos, text);
  BOOST_TEST(text.ends_with("/n_ctx: 12 is below 32"));
}

BOOST_AUTO_TEST_CASE(overrides_replace_the_sweeps_lists) {
  Overrides overrides;
  overrides.prompt_sets = {"b"};
  overrides.temps = {"0.5", "1"};
  overrides.models = {"two"};
  overrides.limit_items = 7;
  overrides.condition = "treatment";
  const SweepConfig config =
      good(sets + "models: [one, two]\nsweep: {prompt_sets: [a, b], temps: [0.0]}\n", overrides);
  BOOST_TEST((config.sweep->prompt_sets == std::vector<std::string>{"b"}));
  BOOST_TEST((config.sweep->temps == std::vector<double>{0.5, 1}));
  BOOST_TEST((config.sweep->models == std::vector<std::string>{"two"}));
  BOOST_TEST(*config.limit_items == 7);
  BOOST_TEST(config.condition == "treatment");
  BOOST_TEST(config.effective_yaml.find("limit_items: 7") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(overrides_filter_explicit_trials) {
  const std::string text = sets +
                           "models: [one, two]\ntrials:\n  - {model: one, prompt_set: a}\n  - "
                           "{model: two, prompt_set: b}\n";
  Overrides overrides;
  overrides.models = {"two"};
  BOOST_TEST(good(text, overrides).trials.size() == 1u);
  overrides.models = {"three"};
  BOOST_TEST(problem(text, overrides).find("--models") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_flag_that_is_no_number_is_an_error) {
  Overrides overrides;
  overrides.temps = {"warm"};
  BOOST_TEST(problem(sets + "model_id: m\n", overrides).find("warm") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(set_reaches_any_option) {
  Overrides overrides;
  overrides.set = {"stats.bootstrap_samples=2000", "top_k=null", "stop=[a, b]"};
  const SweepConfig config = good(sets + "model_id: m\n", overrides);
  BOOST_TEST(config.stats.bootstrap_samples == 2000);
  BOOST_TEST(config.top_k_null);
  BOOST_TEST(config.stop.size() == 2u);
  overrides.set = {"stats.bootstrap_sample=1"};
  BOOST_TEST(
      problem(sets + "model_id: m\n", overrides).find("did you mean \"bootstrap_samples\"") !=
      std::string::npos);
}

// D20: a cap of 0 means none, and is not "unlimited".
BOOST_AUTO_TEST_CASE(a_cap_of_zero_stays_zero) {
  const SweepConfig config =
      good(sets + "model_id: m\nsizes: {open_book_max_items: 0, triviaqa_max_items: null}\n");
  BOOST_TEST(config.sizes.open_book_max_items.value() == 0);
  BOOST_TEST(!config.sizes.triviaqa_max_items.has_value());
}

// D38: a key that does nothing, anywhere or with this backend, says so and what to use instead.
BOOST_AUTO_TEST_CASE(d38_no_key_is_silently_without_effect) {
  const auto warned = [](const SweepConfig& config, const std::string& key) {
    return std::any_of(config.warnings.begin(), config.warnings.end(), [&](const auto& line) {
      return line.find(" " + key + ": has no effect") != std::string::npos &&
             line.find("; instead: ") != std::string::npos;
    });
  };
  const std::string dead =
      "tokenizer: t\nsizes: {closed_book_max_items: 3}\nunsupported: {nli_model: n}\n"
      "paths: {results_dir: r}\noptional: {enable_power_analysis: true}\n"
      "provider: {name: p, model: m, batch: {temperature: 1, max_tokens: 2, poll_seconds: 3}}\n"
      "stats: {risk_thresholds: [0.5]}\n";
  const SweepConfig never = good(sets + "backend: echo\nmodel_id: m\n" + dead);
  for (const char* key :
       {"tokenizer", "sizes.closed_book_max_items", "unsupported.nli_model", "paths.results_dir",
        "optional.enable_power_analysis", "provider.batch", "stats.risk_thresholds"}) {
    BOOST_TEST(warned(never, key), key);
  }
  const std::string local =
      "max_concurrent_requests: 1\nlocal_n_ctx: 64\nlocal_n_gpu_layers: 1\nlocal_endpoint: e\n";
  const std::map<std::string, std::set<std::string>> without_effect{
      {"echo", {"max_concurrent_requests", "local_n_ctx", "local_n_gpu_layers", "local_endpoint"}},
      {"local\nlocal_engine: ollama", {"local_n_gpu_layers"}},
      {"local\nlocal_engine: llama_cpp", {"local_endpoint"}}};
  for (const auto& [backend, keys] : without_effect) {
    const SweepConfig config =
        good(sets + "model_id: m\nlocal_model: m\nbackend: " + backend + "\n" + local);
    for (const char* key :
         {"max_concurrent_requests", "local_n_ctx", "local_n_gpu_layers", "local_endpoint"}) {
      BOOST_TEST(warned(config, key) == keys.contains(key), backend << " " << key);
    }
  }
  // A limit of one is passed on as one.
  const SweepConfig one = good(sets +
                               "backend: local\nlocal_engine: llama_cpp\nmodel_id: m\n"
                               "local_model: m\nmax_concurrent_requests: 1\n");
  BOOST_TEST(json::parse(one.models.at(0).backend_options_json).at("n_parallel") == 1);
}

// D42: every problem of a file in one go, none silently dropped.
BOOST_AUTO_TEST_CASE(all_problems_are_told_at_once) {
  const std::string text =
      problem(sets + "model_id: m\nsamples_per_itm: {0.0: 1}\ntemps: [5]\ntop_p: 7.0\n");
  BOOST_TEST(text.find("did you mean \"samples_per_item\"") != std::string::npos);
  BOOST_TEST(text.find("temps[0]: found \"5\"; allowed is a list of numbers in [0, 2]") !=
                 std::string::npos,
             text);
  BOOST_TEST(text.find("top_p") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(both_forms_of_prices) {
  const SweepConfig config =
      good(sets +
           "model_id: m\npricing:\n  input_per_million: 0.1\n  output_per_million: 0.2\n"
           "  openai:\n    gpt: {input_per_mtok: 1, output_per_mtok: 2}\n"
           "  providers:\n    fireworks:\n      m: {input_per_mtok_batch: 3, "
           "output_per_mtok_batch: 4}\n");
  BOOST_TEST(config.pricing.providers.at("openai").at("gpt").output_per_mtok == 2);
  BOOST_TEST(*config.pricing.providers.at("fireworks").at("m").input_per_mtok_batch == 3);
  BOOST_TEST(*config.pricing.input_per_million == 0.1);
}

BOOST_AUTO_TEST_CASE(the_table_knows_every_key_of_the_original) {
  std::set<std::string> known;
  for (const Option& option : option_table()) known.insert(option.path);
  for (const char* key : {"model_id",
                          "temps",
                          "samples_per_item",
                          "max_new_tokens.closed_book",
                          "top_p",
                          "top_k",
                          "stop",
                          "sizes.closed_book_max_items",
                          "paths.run_manifest",
                          "pricing.batch_discount",
                          "use_batch_api",
                          "provider.batch",
                          "provider.rate_limits",
                          "provider.cache_control",
                          "unsupported.nli_model",
                          "unsupported_threshold",
                          "optional.enable_mixed_effects",
                          "stats.tost_margins",
                          "model_aliases",
                          "default_prompt_set",
                          "sweep.max_new_tokens.open_book",
                          "trials[].model_id",
                          "local_engine",
                          "local_endpoint",
                          "local_model",
                          "max_concurrent_requests",
                          "tokenizer",
                          "enable_local_telemetry",
                          "local_n_ctx",
                          "local_n_gpu_layers"}) {
    BOOST_TEST(known.contains(key), key);
  }
}

BOOST_AUTO_TEST_CASE(cache_and_memory) {
  const SweepConfig plain = good(sets + "model_id: m\npaths: {experiments_dir: runs}\n");
  BOOST_TEST(plain.cache.enabled);
  BOOST_TEST(plain.cache.path == plain.paths.experiments_dir / "response_cache.sqlite");
  BOOST_TEST(!plain.resources.ram_gb.has_value());
  BOOST_TEST(!plain.resources.vram_gb.has_value());
  BOOST_TEST(plain.resources.reserve_gb == 1.0);
  const SweepConfig set = good(sets +
                               "model_id: m\ncache: {enabled: false, path: kept.sqlite}\n"
                               "resources: {ram_gb: 12.5, vram_gb: 0, reserve_gb: 0.5}\n");
  BOOST_TEST(!set.cache.enabled);
  BOOST_TEST(set.cache.path.filename() == "kept.sqlite");
  BOOST_TEST(set.resources.ram_gb.value() == 12.5);
  BOOST_TEST(set.resources.vram_gb.value() == 0.0);
  BOOST_TEST(set.resources.reserve_gb == 0.5);
  BOOST_TEST(problem(sets + "model_id: m\ncache: {enable: true}\n").find("enabled") !=
             std::string::npos);
  BOOST_TEST(problem(sets + "model_id: m\nresources: {ram_gb: -1}\n").find("resources.ram_gb") !=
             std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
