// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/env.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "store/response_cache.h"

namespace promptsweep {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

constexpr std::int64_t us_a_day = 86'400'000'000;

po::options_description cache_options() {
  po::options_description options("Options");
  options.add_options()  //
      ("experiments_dir", po::value<std::string>()->default_value("experiments"),
       "folder whose cache is meant")                                                         //
      ("path", po::value<std::string>(), "the cache's file, where cache.path names another")  //
      ("max_age", po::value<std::string>(),
       "prune: remove what was not used for so long: 90d, 12h, 30m")  //
      ("max_size", po::value<std::string>(),
       "prune: keep at most so much, the latest used: 2G, 500M, 64K")                 //
      ("model", po::value<std::string>(), "prune: remove the answers of this model")  //
      ("yes", "prune: do it; without it, what would be removed is shown")             //
      ("json", "a JSON object instead of text");
  return options;
}

void print_help(const po::options_description& options) {
  std::cout << "promptsweep cache info|prune - answers kept for later runs (run --reuse uses "
               "them).\n\n"
               "  promptsweep cache info\n"
               "  promptsweep cache prune --max_age 90d --max_size 2G --yes\n\n"
               "Removing answers loses nothing of any run: its own stores hold what it was "
               "answered.\n\n"
            << options;
}

// "90d" with units {{'d', ...}, ...}; a bare number counts in `bare`, 0: it needs a unit.
std::optional<std::int64_t> amount_of(const std::string& text,
                                      const std::vector<std::pair<char, double>>& units,
                                      double bare) {
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || !std::isfinite(number) || number < 0) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  double factor = unit.empty() ? bare : 0;
  for (const auto& [name, value] : units) {
    if (unit.size() == 1 && unit[0] == name) factor = value;
  }
  if (factor == 0 || number * factor > 9e18) return std::nullopt;
  return static_cast<std::int64_t>(number * factor);
}

Result<CachePrune> rules_from(const ParsedArguments& arguments) {
  CachePrune rules;
  if (arguments.has("max_age")) {
    const std::string text = arguments.get<std::string>("max_age");
    const auto age =
        amount_of(text, {{'d', us_a_day}, {'h', us_a_day / 24.0}, {'m', us_a_day / 1440.0}}, 0);
    if (!age) {
      return Error{Code::invalid_input,
                   "--max_age: \"" + text + "\" is no time such as 90d, 12h or 30m"};
    }
    rules.used_before_unix_us = unix_us_now() - *age;
  }
  if (arguments.has("max_size")) {
    const std::string text = arguments.get<std::string>("max_size");
    rules.max_bytes = amount_of(
        text, {{'K', 1024.0}, {'M', 1048576.0}, {'G', 1073741824.0}, {'T', 1099511627776.0}}, 1.0);
    if (!rules.max_bytes) {
      return Error{Code::invalid_input,
                   "--max_size: \"" + text + "\" is no size such as 2G, 500M or 64K"};
    }
  }
  if (arguments.has("model")) rules.model = arguments.get<std::string>("model");
  if (!rules.used_before_unix_us && !rules.max_bytes && !rules.model) {
    return Error{
        Code::invalid_input,
        "cache prune needs --max_age, --max_size or --model: it removes nothing by itself"};
  }
  return rules;
}

std::string megabytes(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

json time_or_null(const std::optional<std::int64_t>& unix_us) {
  return unix_us ? json(utc_from_unix_us(*unix_us)) : json();
}

void print_info(const std::filesystem::path& path, const CacheInfo& info, bool as_json) {
  if (as_json) {
    json engines = json::array();
    for (const CacheInfo::Engine& engine : info.engines) {
      engines.push_back({{"backend", engine.backend},
                         {"model", engine.model},
                         {"engine_identity", json::parse(engine.engine_identity, nullptr, false)},
                         {"rows", engine.rows},
                         {"bytes", engine.bytes}});
    }
    const json out{{"path", path.string()},
                   {"rows", info.rows},
                   {"bytes", info.bytes},
                   {"arms", info.arms},
                   {"engines", engines},
                   {"oldest_use", time_or_null(info.oldest_use_unix_us)},
                   {"newest_use", time_or_null(info.newest_use_unix_us)}};
    std::cout << out.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
    return;
  }
  std::cout << path.string() << ": " << info.rows << " answers of " << info.arms << " arms, "
            << megabytes(info.bytes) << '\n';
  if (info.rows == 0) return;
  std::cout << "last used  " << utc_from_unix_us(*info.oldest_use_unix_us) << " to "
            << utc_from_unix_us(*info.newest_use_unix_us) << '\n';
  for (const CacheInfo::Engine& engine : info.engines) {
    std::cout << "  " << engine.backend << ' ' << engine.model << ": " << engine.rows
              << " answers, " << megabytes(engine.bytes) << "  " << engine.engine_identity << '\n';
  }
}

int prune(const std::filesystem::path& path, const ParsedArguments& arguments) {
  const Result<CachePrune> rules = rules_from(arguments);
  if (!rules) return fail(rules.error());
  const bool really = arguments.has("yes");
  Result<std::unique_ptr<ResponseCache>> cache =
      really ? ResponseCache::open(path) : ResponseCache::open_read_only(path);
  if (!cache) return fail(cache.error());
  const Result<CacheRemoval> removal =
      really ? (*cache)->prune(*rules) : (*cache)->would_prune(*rules);
  if (!removal) return fail(removal.error());
  if (arguments.has("json")) {
    std::cout << json{{"removed", really}, {"rows", removal->rows}, {"bytes", removal->bytes}}.dump(
                     2)
              << '\n';
    return exit_ok;
  }
  std::cout << (really ? "removed " : "would remove ") << removal->rows << " answers, "
            << megabytes(removal->bytes) << (really ? "" : "; --yes does it") << '\n';
  return exit_ok;
}

int info(const std::filesystem::path& path, bool as_json) {
  Result<std::unique_ptr<ResponseCache>> cache = ResponseCache::open_read_only(path);
  if (!cache && cache.error().code != Code::not_found) return fail(cache.error());
  if (!cache) {
    print_info(path, {}, as_json);
    return exit_ok;
  }
  const Result<CacheInfo> found = (*cache)->info();
  if (!found) return fail(found.error());
  print_info(path, *found, as_json);
  return exit_ok;
}

}  // namespace

int cmd_cache(const std::vector<std::string>& arguments) {
  const po::options_description options = cache_options();
  const bool named = !arguments.empty() && !arguments[0].starts_with("-");
  const std::string action = named ? arguments[0] : "";
  Result<ParsedArguments> parsed =
      parse_arguments({arguments.begin() + (named ? 1 : 0), arguments.end()}, options);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    print_help(options);
    return exit_ok;
  }
  if (action != "info" && action != "prune") {
    return fail(Error{Code::invalid_input,
                      "cache: info or prune must follow, for example "
                      "promptsweep cache info"});
  }
  const bool elsewhere = parsed->has("path");
  const std::filesystem::path path =
      elsewhere ? std::filesystem::path(parsed->get<std::string>("path"))
                : std::filesystem::path(parsed->get<std::string>("experiments_dir")) /
                      response_cache_name;
  if (action == "info") return info(path, parsed->has("json"));
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) {
    return fail(Error{Code::not_found, path.string() + ": there is no response cache here"});
  }
  return prune(path, *parsed);
}

}  // namespace promptsweep
