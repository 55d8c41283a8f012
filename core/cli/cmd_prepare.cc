// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "cli/arguments.h"
#include "cli/command.h"
#include "dataset/prepare.h"

namespace promptsweep {

int cmd_prepare(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  po::options_description options("Options");
  options.add_options()("squad", po::value<std::string>(), "SQuAD JSON, official layout")  //
      ("triviaqa", po::value<std::string>(), "TriviaQA JSON, official layout")             //
      ("nq_open", po::value<std::string>(), "NQ-open JSON lines")                          //
      ("raw_dir", po::value<std::string>()->default_value("data/raw"),
       "where downloads with their official names lie")  //
      ("prepared_dir", po::value<std::string>()->default_value("data/prepared"),
       "where the prepared files go");
  Result<ParsedArguments> parsed = parse_arguments(arguments, options);
  if (!parsed) return fail(parsed.error());
  if (parsed->help) {
    std::cout << "promptsweep prepare - open_book.jsonl and closed_book.jsonl from the official "
                 "downloads.\n\n"
                 "  promptsweep prepare --squad dev-v2.0.json --nq_open NQ-open.dev.jsonl\n\n"
              << options << "\nExit codes: 0 done, 2 a file is missing or malformed.\n";
    return exit_ok;
  }
  PrepareOptions how;
  if (parsed->has("squad")) how.squad = parsed->get<std::string>("squad");
  if (parsed->has("triviaqa")) how.triviaqa = parsed->get<std::string>("triviaqa");
  if (parsed->has("nq_open")) how.nq_open = parsed->get<std::string>("nq_open");
  how.raw_dir = parsed->get<std::string>("raw_dir");
  how.prepared_dir = parsed->get<std::string>("prepared_dir");
  Result<std::vector<PreparedFile>> files = prepare_data(how);
  if (!files) return fail(files.error());
  for (const PreparedFile& file : *files) {
    std::cout << file.path.string() << "  " << file.items << " items  sha256 " << file.sha256
              << (file.already_there ? "  (unchanged)" : "") << '\n';
  }
  return exit_ok;
}

}  // namespace promptsweep
