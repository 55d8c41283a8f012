// SPDX-License-Identifier: Apache-2.0
// traced_writer ARM_FILE MARKER_FILE: puts 40 results and never flushes, and writes an artifact in
// a new folder. power_cut_test.py watches its system calls: the row "<row N>" must reach the log
// and the disk soon after "put N"; the artifact and its name must be on the disk before "done".
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "store/arm_store.h"
#include "store/run_store.h"

using namespace promptsweep;

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int marker = ::open(argv[2], O_WRONLY | O_CREAT, 0666);
  std::vector<RequestRow> rows(40);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].request_id = rows[i].custom_id = rows[i].item_key = std::to_string(i);
  }
  auto store = ArmStore::open(argv[1]);
  if (marker < 0 || !store || !(*store)->initialise(ArmSpec{}, rows)) return 3;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ResultRow result;
    result.request_id = rows[i].request_id;
    result.outcome = Outcome::ok;
    result.text = "<row " + std::to_string(i) + ">";
    if (!(*store)->put_result(result)) return 4;
    const std::string line = "put " + std::to_string(i) + ";";
    if (::write(marker, line.data(), line.size()) < 0) return 5;
    std::this_thread::sleep_for(std::chrono::milliseconds(7));
  }
  const std::filesystem::path place = std::filesystem::path(argv[1]).parent_path();
  if (!put_artifact(place / "results" / "report.json", "<artifact>")) return 6;
  if (::write(marker, "done", 4) != 4) return 7;
  // Long enough for the last group, then an end that flushes nothing.
  std::this_thread::sleep_for(std::chrono::seconds(1));
  ::_exit(0);
}
