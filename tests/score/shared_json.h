// SPDX-License-Identifier: Apache-2.0
// JSON files of the shared folder, for tests that are skipped without it.
#pragma once

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "shared_data.h"

inline boost::test_tools::assertion_result shared_is_there(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(shared_folder().has_value());
  if (!result) result.message() << "there is no shared folder";
  return result;
}

inline std::filesystem::path shared_file(const std::string& name) {
  return shared_folder().value() / name;
}

inline nlohmann::json shared_json(const std::string& name) {
  std::ifstream in(shared_file(name));
  BOOST_REQUIRE(in);
  return nlohmann::json::parse(in);
}
