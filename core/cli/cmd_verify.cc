// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/env.h"
#include "base/unicode.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/verify_run.h"

namespace promptsweep {
namespace {

namespace po = boost::program_options;

// A folder of its own for files that are made again, gone at the end.
class Scratch {
 public:
  static Result<Scratch> create() {
    std::error_code failed;
    const std::filesystem::path base = std::filesystem::temp_directory_path(failed);
    if (failed) return Error{Code::io, "there is no folder for temporary files: TMPDIR names it"};
    const std::string name = process_note() + std::to_string(unix_us_now());
    std::filesystem::path folder = base / ("promptsweep-verify-" + content_id(name));
    if (!std::filesystem::create_directory(folder, failed) || failed) {
      return Error{Code::io, "cannot make " + folder.string() + ": " + failed.message()};
    }
    // It will hold answers of the run.
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failed);
    return Scratch(std::move(folder));
  }
  Scratch(Scratch&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  explicit Scratch(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;
};

// A run's folder as it stands, or the id of a run of the experiments folder: "run_" + id, or the id
// itself of a dry run. No store is opened here, since to open one can change its files.
Result<std::filesystem::path> folder_of(const std::string& run, const std::string& experiments) {
  const std::filesystem::path named = std::filesystem::path(experiments) / ("run_" + run);
  std::error_code failed;
  for (const std::filesystem::path& folder :
       {std::filesystem::path(run), named, std::filesystem::path(experiments) / run}) {
    if (std::filesystem::exists(folder / "run.sqlite", failed)) return folder;
  }
  return Error{Code::invalid_input, "there is no run \"" + run +
                                        "\": neither a run's folder, nor " + named.string() +
                                        " (--experiments_dir names another place)"};
}

// What a damaged store holds may be any bytes: one line of valid text, without control characters.
std::string one_line(const std::string& text) {
  std::string out = replace_invalid_utf8(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return out;
}

std::string line_of(const Difference& d) {
  std::string out = d.file;
  if (!d.row.empty()) out += ": " + d.row;
  out += ": " + d.says;
  if (!d.stored.empty()) out += "; stored " + d.stored;
  if (!d.recomputed.empty()) out += "; recomputed " + d.recomputed;
  return one_line(out);
}

struct Count {
  const char* key;
  std::int64_t value;
  const char* what;
};

std::vector<Count> counts_of(const VerifyReport& report) {
  return {{"items", report.items, "pinned items, by the hash of their set"},
          {"stores", report.counts.stores, "stores, every page"},
          {"responses", report.counts.responses, "stored responses, by their digests"},
          {"requests", report.counts.requests, "requests, rendered again"},
          {"scores", report.counts.scores, "scores, scored again"},
          {"rendered_files", report.rendered_files, "files, made again and compared"},
          {"recorded_files", report.counts.recorded_files, "files, by the phases' hashes"},
          {"sealed_files", report.sealed_files, "files, by SHA256SUMS"}};
}

void print_text(const VerifyReport& report, const std::filesystem::path& folder) {
  std::cout << "run " << report.run_id << " (" << report.state << ") in " << folder.string()
            << '\n';
  for (const Count& count : counts_of(report)) {
    if (count.value == 0) continue;
    const std::string number = std::to_string(count.value);
    std::cout << std::string(number.size() < 10 ? 10 - number.size() : 0, ' ') << number << ' '
              << count.what << '\n';
  }
  for (const std::string& note : report.notes) std::cout << "note: " << one_line(note) << '\n';
  for (const Difference& difference : report.differences) {
    std::cout << "DIFFERS " << line_of(difference) << '\n';
  }
  const auto listed = static_cast<std::int64_t>(report.differences.size());
  if (report.difference_count > listed) {
    std::cout << "and " << report.difference_count - listed << " more in the same files\n";
  }
  if (report.difference_count == 0) {
    std::cout << "verified: nothing differs\n";
  } else {
    std::cout << report.difference_count
              << (report.difference_count == 1 ? " difference\n" : " differences\n");
  }
}

void print_json(const VerifyReport& report, const std::filesystem::path& folder) {
  nlohmann::json out{{"run_id", report.run_id},
                     {"state", report.state},
                     {"folder", folder.string()},
                     {"verified", report.difference_count == 0},
                     {"difference_count", report.difference_count},
                     {"notes", report.notes},
                     {"checked", nlohmann::json::object()},
                     {"differences", nlohmann::json::array()}};
  for (const Count& count : counts_of(report)) out["checked"][count.key] = count.value;
  for (const Difference& d : report.differences) {
    out["differences"].push_back({{"file", d.file},
                                  {"row", d.row},
                                  {"says", d.says},
                                  {"stored", d.stored},
                                  {"recomputed", d.recomputed}});
  }
  // What a damaged store holds need not be UTF-8.
  std::cout << out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

}  // namespace

int cmd_verify(const std::vector<std::string>& arguments) {
  po::options_description options("Options");
  options.add_options()("run", po::value<std::string>()->required(),
                        "a run's id or folder; may stand without --run")  //
      ("experiments_dir", po::value<std::string>()->default_value("experiments"),
       "where the runs lie")  //
      ("json", "a JSON object instead of lines");
  po::positional_options_description position;
  position.add("run", 1);
  Result<ParsedArguments> parsed = parse_arguments(arguments, options, position);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout
        << "promptsweep verify - makes every number of a run again from its stored responses and\n"
           "compares; checks the seal of a sealed run. Changes nothing, asks no model.\n\n"
           "  promptsweep verify r20260504123456\n"
           "  promptsweep verify experiments/run_r20260504123456 --json\n\n"
        << options
        << "\nOne line for each thing that differs: file, row or line, stored and recomputed. The\n"
           "files are made again below TMPDIR.\n\n"
           "Exit codes: 0 verified, 1 something differs, 2 there is no such run, or it is open in\n"
           "another process.\n";
    return exit_ok;
  }
  Result<std::filesystem::path> folder =
      folder_of(parsed->get<std::string>("run"), parsed->get<std::string>("experiments_dir"));
  if (!folder) return fail(folder.error());
  Result<Scratch> scratch = Scratch::create();
  if (!scratch) return fail(scratch.error());
  Result<VerifyReport> report = verify_run(*folder, scratch->folder());
  if (!report) {
    std::cerr << "promptsweep: " << report.error().text << '\n';
    return exit_bad_input;
  }
  if (parsed->has("json")) {
    print_json(*report, *folder);
  } else {
    print_text(*report, *folder);
  }
  return report->difference_count == 0 ? exit_ok : exit_failed;
}

}  // namespace promptsweep
