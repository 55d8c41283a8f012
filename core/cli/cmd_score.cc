// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/env.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "dataset/dataset.h"
#include "score/predictions_file.h"

namespace promptsweep {
namespace {

// By the member that only one layout has.
DatasetFormat guess_format(const std::filesystem::path& path) {
  if (path.extension() == ".jsonl") return DatasetFormat::nq_open;
  const Result<std::string> text = read_file(path);
  const bool triviaqa = text && text->find("\"Data\"") != std::string::npos;
  return triviaqa ? DatasetFormat::triviaqa : DatasetFormat::squad;
}

}  // namespace

int cmd_score(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options("Options");
  options.add_options()("predictions", po::value<std::string>()->required(),
                        "JSON {id: answer}, or JSON lines of {id, prediction}")                  //
      ("dataset", po::value<std::string>()->required(), "the data set's file, official layout")  //
      ("format", po::value<std::string>(),
       "squad, triviaqa, nq_open or prepared; guessed when absent")   //
      ("per_question", "also print {id: [exact, f1]} (with --json)")  //
      ("json", "a JSON object, members named as SQuAD's script names them");
  Result<ParsedArguments> parsed = parse_arguments(arguments, options);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout
        << "promptsweep score - exact match and F1 of a predictions file, by the data set's "
           "official rule.\n\n"
           "  promptsweep score --predictions predictions.json --dataset dev-v2.0.json --json\n\n"
        << options << "\nExit codes: 0 scored, 2 a file is missing or malformed.\n";
    return exit_ok;
  }
  DatasetSource source;
  source.path = parsed->get<std::string>("dataset");
  source.name = source.path.stem().string();
  source.format = guess_format(source.path);
  if (parsed->has("format")) {
    const std::string name = parsed->get<std::string>("format");
    const std::optional<DatasetFormat> format = dataset_format_from(name);
    if (!format || *format == DatasetFormat::csv) {
      return fail(
          Error{Code::invalid_input,
                "--format \"" + name + "\"; allowed are squad, triviaqa, nq_open, prepared"});
    }
    source.format = *format;
  }
  Result<DatasetFile> file = read_dataset(source);
  if (!file) return fail(file.error());
  const Result<std::vector<Item>> items = all_items(*file->items);
  if (!items) return fail(items.error());
  Result<PredictionScores> scores =
      score_predictions(parsed->get<std::string>("predictions"), *items);
  if (!scores) return fail(scores.error());
  if (parsed->has("json")) {
    std::cout << to_json(*scores, parsed->has("per_question"));
  } else {
    std::cout << to_text(*scores);
  }
  return exit_ok;
}

}  // namespace promptsweep
