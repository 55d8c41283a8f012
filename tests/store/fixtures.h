// SPDX-License-Identifier: Apache-2.0
// Small arms, plans and results for the store's tests.
#pragma once

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "records/item.h"
#include "records/plan.h"
#include "records/request.h"
#include "store/arm_store.h"

namespace store_test {

using namespace promptsweep;

// The value, or a failed test that shows the error.
template <class T>
T value_of(Result<T> result) {
  BOOST_REQUIRE_MESSAGE(static_cast<bool>(result), (result ? std::string() : result.error().text));
  return std::move(result).value();
}

inline void require_ok(const Status& status) {
  BOOST_REQUIRE_MESSAGE(static_cast<bool>(status), (status ? std::string() : status.error().text));
}

template <class T>
void check_refused(const Result<T>& result, Code code, const std::string& says) {
  BOOST_REQUIRE(!result);
  BOOST_CHECK(result.error().code == code);
  BOOST_CHECK_MESSAGE(result.error().text.find(says) != std::string::npos, result.error().text);
}

inline ArmSpec arm_spec(const std::string& id = "arm1", const std::string& identity = "{}") {
  ArmSpec arm;
  arm.arm_id = id;
  arm.identity_json = identity;
  arm.engine_id = "engine1";
  arm.system_prompt = "Be brief.";
  arm.decoding.temperature = 0.7;
  arm.store_path = "shared_controls/" + id + "/arm.sqlite";
  return arm;
}

inline Item item(int number, TaskType type = TaskType::closed_book) {
  Item out;
  out.dataset = type == TaskType::open_book ? "squad" : "nq";
  out.id = "q" + std::to_string(number);
  out.type = type;
  out.question = "Question " + std::to_string(number) + "?";
  return out;
}

inline RequestRow request_for(const Item& item, int sample = 0, const std::string& salt = "") {
  RequestRow row;
  row.item_key = item_key(item);
  row.sample_index = sample;
  row.type = item.type;
  row.seed = 4'000'000'000U;
  row.request_id = "id-" + salt + row.item_key + "-" + std::to_string(sample);
  row.custom_id = row.item_key + "|control|0.7|" + std::to_string(sample) + "|" +
                  std::string(to_string(item.type));
  row.content_sha256 = "0123";
  return row;
}

inline std::vector<RequestRow> request_rows(int count) {
  std::vector<RequestRow> rows;
  for (int i = 0; i < count; ++i) rows.push_back(request_for(item(i)));
  return rows;
}

inline ResultRow result_for(const std::string& request_id, Outcome outcome = Outcome::ok,
                            const std::string& text = "Paris") {
  ResultRow row;
  row.request_id = request_id;
  row.outcome = outcome;
  if (is_final(outcome)) row.text = text;
  row.finish_reason = outcome == Outcome::ok ? "stop" : "";
  row.finished_unix_us = 1'770'000'000'000'000;
  return row;
}

inline std::unique_ptr<ArmStore> new_arm(const std::filesystem::path& path,
                                         const std::vector<RequestRow>& rows) {
  auto store = value_of(ArmStore::open(path));
  require_ok(store->initialise(arm_spec(), rows));
  return store;
}

inline std::vector<std::string> ids_of(const std::vector<RequestRow>& rows) {
  std::vector<std::string> ids;
  for (const RequestRow& row : rows) ids.push_back(row.request_id);
  return ids;
}

}  // namespace store_test
