// SPDX-License-Identifier: Apache-2.0
#include "intake.h"

#include <promptsweep/sha256.h>

#include <fstream>

#include "rows.h"

namespace fireworks {
namespace {

// Its documents of different dates disagree about more.
constexpr std::uint64_t most_bytes = 500'000'000;

void check_model(const psw::Request& line, std::string& model) {
  std::string named = model_of(line.line);
  if (line.index == 0)
    model = std::move(named);
  else if (named != model) {
    throw psw::Error(PSW_E_UNSUPPORTED, "a batch job has one model; line " +
                                            std::to_string(line.index + 1) + " names " + named +
                                            ", the first one " + model);
  }
}

}  // namespace

Intake take_in(Work& work, const std::filesystem::path& file) {
  Intake in;
  in.file = file;
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  psw::lines::Sha256 lines, rows;
  std::string model;
  for (psw::Request line; work.read(line);) {
    lines.add(line.line);
    lines.add("\n");
    check_model(line, model);
    try {
      const std::string row = batch_row(line) + "\n";
      out << row;
      rows.add(row);
      in.bytes += row.size();
    } catch (const psw::Error& error) {
      in.refused.emplace_back(line, error);
      continue;
    }
    in.index_of.emplace(line.request_id, line.index);
    ++in.rows;
  }
  out.close();
  if (!out) throw psw::Error(PSW_E_RESOURCE, "cannot write the batch file into the scratch folder");
  if (in.bytes > most_bytes) {
    throw psw::Error(PSW_E_TOO_LARGE, "the batch file has " + std::to_string(in.bytes) +
                                          " bytes; allowed are 500 MB");
  }
  in.lines_hash = lines.hex();
  in.rows_hash = rows.hex();
  return in;
}

}  // namespace fireworks
