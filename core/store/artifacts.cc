// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"
#include "base/env.h"
#include "store/run_schema.h"
#include "store/run_store.h"

namespace promptsweep {

Status check_not_sealed(const std::filesystem::path& path) {
  // The deepest file: <run>/<trial>/arms/<arm>/jobs/<file>.
  constexpr int deepest = 6;
  std::error_code failed;
  std::filesystem::path folder = std::filesystem::absolute(path, failed).parent_path();
  for (int level = 0; level < deepest && folder.has_relative_path(); ++level) {
    if (std::filesystem::exists(folder / run_database_name, failed)) {
      if (!std::filesystem::exists(folder / checksums_name, failed)) return ok;
      return Error{Code::state, folder.string() + ": the run is sealed and takes no more writes"};
    }
    folder = folder.parent_path();
  }
  return ok;
}

Result<std::string> put_artifact(const std::filesystem::path& path, std::string_view bytes) {
  if (Status open = check_not_sealed(path); !open) return std::move(open).error();
  if (Status written = write_file_atomic(path, bytes); !written) return std::move(written).error();
  return sha256_hex(bytes);
}

}  // namespace promptsweep
