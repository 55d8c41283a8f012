// SPDX-License-Identifier: Apache-2.0
// Texts that a sweep reads: plain ones as the core and the usual servers write them, and odd ones.
#pragma once

#include <string>
#include <vector>

namespace codec {

// A line of the core's renderer: an open-book item with a passage of about a kilobyte.
std::string core_line(double temperature);

std::vector<std::string> plain_lines();
std::vector<std::string> odd_lines();
std::vector<std::string> plain_replies();
std::vector<std::string> odd_replies();
std::vector<std::string> plain_record_bodies();
std::vector<std::string> odd_record_bodies();

}  // namespace codec
