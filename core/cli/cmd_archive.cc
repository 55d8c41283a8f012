// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/run_lookup.h"
#include "cli/run_view.h"
#include "store/archive.h"

namespace promptsweep {
namespace {

Status check_finished(const RunSummary& summary) {
  // Sealed without sums: a sealing that was cut off is finished.
  if (summary.state == "complete" || summary.state == "sealed") return ok;
  const Result<RunOverview> run = read_overview(summary);
  if (!run) return run.error();
  return Error{Code::state, "run " + summary.run_id + " is incomplete (" +
                                count_text(run->progress()) + " requests answered): finish it (" +
                                next_step(*run) + "), or seal it as it is with --incomplete"};
}

struct Archived {
  bool was_sealed = false;
  std::optional<std::filesystem::path> file;
  bool file_was_there = false;
};

Result<Archived> archive(const RunSummary& summary, bool incomplete_too, bool tar) {
  if (summary.state == "unreadable") return Error{Code::data, summary.problem};
  // The writer's lock: nobody runs it meanwhile, and nobody else seals it.
  Result<std::unique_ptr<RunStore>> run = RunStore::open_for_writing(summary.folder);
  if (!run) return std::move(run).error();
  Archived out;
  const Status seal = check_seal(summary.folder);
  out.was_sealed = static_cast<bool>(seal);
  if (!seal && seal.error().code != Code::state) return seal.error();
  if (!out.was_sealed && !incomplete_too) {
    if (Status finished = check_finished(summary); !finished) return std::move(finished).error();
  }
  if (Status sealed = seal_run(**run); !sealed) return std::move(sealed).error();
  if (!tar) return out;
  Result<bool> written = write_archive(summary.folder);
  if (!written) return std::move(written).error();
  out.file = archive_path(summary.folder);
  out.file_was_there = !*written;
  return out;
}

void print(const RunSummary& summary, const Archived& archived, bool as_json) {
  if (as_json) {
    std::cout << printed(
        {{"run_id", summary.run_id},
         {"folder", summary.folder.string()},
         {"was_sealed", archived.was_sealed},
         {"archive", archived.file ? nlohmann::json(archived.file->string()) : nlohmann::json()},
         {"archive_was_there", archived.file_was_there}});
    return;
  }
  const std::string folder = summary.folder.string();
  std::cout << (archived.was_sealed ? "was sealed already and its seal holds: " : "sealed ")
            << folder
            << (archived.was_sealed ? "\n" : "; sha256sum --check SHA256SUMS checks it\n");
  if (archived.file) {
    std::cout << (archived.file_was_there ? "is there already: " : "wrote ")
              << archived.file->string() << '\n';
  }
}

}  // namespace

int cmd_archive(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options = lookup_options();
  options.add_options()("run", po::value<std::string>()->required(), "a run's id or folder")  //
      ("tar", "also write RUN.tar.zst beside the run's folder (needs tar and zstd)")          //
      ("incomplete", "seal a run as it is, though requests are unanswered")                   //
      ("json", "a JSON object instead of text");
  Result<ParsedArguments> parsed =
      parse_arguments(arguments, options, po::positional_options_description().add("run", 1));
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout
        << "promptsweep archive - seal a run for good: every store is verified, SHA256SUMS gets a\n"
           "line a file, the files become read-only. Sealed runs can still be listed, shown and\n"
           "compared; they take no more work. Again, it checks the seal and changes nothing.\n\n"
           "  promptsweep archive r20260504123456\n"
           "  promptsweep archive r20260504123456 --tar\n"
           "  cd experiments/run_r20260504123456 && sha256sum --check SHA256SUMS\n\n"
        << options
        << "\nExit codes: 0 sealed, 1 refused or failed (incomplete, running, a broken seal), 2 "
           "there is no such run.\n";
    return exit_ok;
  }
  Result<RunSummary> run = chosen_run(*parsed);
  if (!run) return fail(run.error());
  Result<Archived> archived = archive(*run, parsed->has("incomplete"), parsed->has("tar"));
  if (!archived) return fail(archived.error());
  print(*run, *archived, parsed->has("json"));
  return exit_ok;
}

}  // namespace promptsweep
