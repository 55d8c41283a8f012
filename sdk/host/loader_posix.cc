// SPDX-License-Identifier: Apache-2.0
#include "host/loader_posix.h"

#include <dlfcn.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "host/loader.h"

namespace promptsweep::host {
namespace {

// Debian and others give every user a group of their own and a umask that lets it write.
bool holds_only_its_owner(gid_t group_id, uid_t owner) {
  char user_buffer[4096];
  passwd user_entry{};
  passwd* user = nullptr;
  getpwuid_r(owner, &user_entry, user_buffer, sizeof user_buffer, &user);
  if (user == nullptr || user->pw_gid != group_id) return false;
  char group_buffer[4096];
  group group_entry{};
  group* found = nullptr;
  getgrgid_r(group_id, &group_entry, group_buffer, sizeof group_buffer, &found);
  return found != nullptr && found->gr_mem[0] == nullptr &&
         std::string_view(found->gr_name) == user->pw_name;
}

bool others_may_write(const struct stat& status) {
  if ((status.st_mode & S_IWOTH) != 0) return true;
  if ((status.st_mode & S_IWGRP) == 0) return false;
  return !holds_only_its_owner(status.st_gid, status.st_uid);
}

// `on_the_way`: a folder above the plugin's own. Its owner could exchange what is below, but so it
// could exchange this program, which usually lies there too; a sticky one is safe from others.
std::optional<std::string> check(const std::filesystem::path& path, bool on_the_way) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return "cannot look at " + path.string() + ": " + std::strerror(errno);
  }
  const std::string what = S_ISDIR(status.st_mode) ? "the folder " : "the file ";
  if (!on_the_way && status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return what + path.string() + " belongs to another user";
  }
  const bool sticky = (status.st_mode & S_ISVTX) != 0;
  if (others_may_write(status) && !(sticky && on_the_way)) {
    return "others may write to " + what + path.string();
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> writable_by_others(const std::filesystem::path& library) {
  if (auto refusal = check(library, false)) return refusal;
  if (auto refusal = check(library.parent_path(), false)) return refusal;
  for (std::filesystem::path at = library.parent_path(); at != at.root_path();) {
    at = at.parent_path();
    if (auto refusal = check(at, true)) return refusal;
  }
  return std::nullopt;
}

void pin_library(const std::filesystem::path& library) {
  // The handle is dropped on purpose: NODELETE outlives it.
  ::dlopen(library.c_str(), RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace promptsweep::host
