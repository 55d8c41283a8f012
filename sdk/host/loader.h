// SPDX-License-Identifier: Apache-2.0
// Finds and loads plugin libraries. A library that was loaded once stays mapped for the life of the
// process: unloading one that has had a thread, a TLS destructor or a signal handler crashes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/types.h"

namespace promptsweep::host {

struct LoadedPlugin {
  const psw_plugin_api* api = nullptr;
  std::filesystem::path path;
  Description description;
};

// The first `<folder>/<name>.so` on the path, canonical. A name with a slash or a dot in front is
// no name.
std::optional<std::filesystem::path> find_library(
    const std::string& name, const std::vector<std::filesystem::path>& search_path);

// Nothing when the library, its folder and the way to it are safe from others; else the reason to
// refuse it. Safe: the file and its folder belong to root or to this user; neither they nor a
// folder above can be written by anybody else (a group that holds nobody but the owner does not
// count; a folder above may be sticky, since others cannot rename there what is not theirs).
std::optional<std::string> writable_by_others(const std::filesystem::path& library);

// Loads the library into this process (once; a second call gives the same) and calls init().
// Refuses, with one sentence in the message, a file that is unsafe, no plugin, of another major,
// incomplete, or made for a newer minor. *out lives as long as the process.
CallStatus load_plugin(const std::filesystem::path& library, const LoadedPlugin** out);

}  // namespace promptsweep::host
