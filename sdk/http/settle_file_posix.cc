// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "settle_file.h"

namespace psw {
namespace http {
namespace {

// 0, or the error's number.
int sync_path(const std::filesystem::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const int error = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  return error;
}

std::string sentence(const char* what, const std::filesystem::path& path, std::error_code error) {
  return std::string("cannot ") + what + " " + path.string() + ": " + error.message();
}

}  // namespace

std::string settle_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (const int error = sync_path(from, O_WRONLY)) {
    return sentence("sync", from, std::error_code(error, std::generic_category()));
  }
  std::error_code failed;
  std::filesystem::rename(from, to, failed);
  if (failed) return sentence("rename to", to, failed);
  const std::filesystem::path folder = to.has_parent_path() ? to.parent_path() : ".";
  // Some file systems cannot sync a folder and say EINVAL: there a rename is as durable as it gets.
  const int error = sync_path(folder, O_RDONLY | O_DIRECTORY);
  if (error != 0 && error != EINVAL) {
    return sentence("sync", folder, std::error_code(error, std::generic_category()));
  }
  return {};
}

}  // namespace http
}  // namespace psw
