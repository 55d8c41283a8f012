// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace psw {
namespace http {

// Makes `from` durable and renames it to `to`, durably too. Empty when done, else why not, as a
// sentence. May wait for the disk for long: not for the thread that drives transfers.
std::string settle_file(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace http
}  // namespace psw
