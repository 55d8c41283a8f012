// SPDX-License-Identifier: Apache-2.0
#include "store/exports.h"

#include <sys/stat.h>

#include <chrono>

#include "base/digest.h"
#include "base/env.h"
#include "fixtures.h"
#include "store/csv.h"
#include "temporary_folder.h"

using namespace store_test;

namespace {

const std::string header =
    "custom_id,dataset,item_id,condition,temp,sample_index,type,request_id,finish_reason,"
    "response_text,prompt_tokens,completion_tokens,total_tokens,status,attempt,cached,latency_ms,"
    "request_key\n";

Item odd_item() {
  Item out = item(0);
  out.dataset = "da|ta";
  out.id = "a|b%c";
  return out;
}

ResultRow answer(const RequestRow& request, const std::string& text) {
  ResultRow row = result_for(request.request_id, Outcome::ok, text);
  row.remote_id = "r1";
  return row;
}

// An arm whose results hold `scores` for its items, one sample each.
std::unique_ptr<ArmStore> scored_arm(const std::filesystem::path& path,
                                     const std::vector<Item>& items, const Score& score) {
  std::vector<RequestRow> rows;
  for (const Item& of : items) rows.push_back(request_for(of));
  auto store = new_arm(path, rows);
  std::vector<std::pair<std::string, Score>> scores;
  for (const RequestRow& row : rows) {
    require_ok(store->put_result(result_for(row.request_id)));
    scores.emplace_back(row.request_id, score);
  }
  require_ok(store->put_scores("rules", scores));
  return store;
}

// The means of an arm by item; an error where the walk ends with one.
Result<std::vector<ItemScore>> item_scores(ArmStore& store, const std::vector<Item>& items,
                                           bool as_wrong) {
  std::vector<ItemScore> out;
  Status walked =
      for_each_item_result(store, ItemList(items),
                           [&](std::int64_t, const Item& of, const ItemResults& results) -> Status {
                             const auto& scores = as_wrong ? results.as_wrong : results.excluding;
                             if (!scores.empty()) out.push_back(mean_over_samples(of, scores));
                             return ok;
                           });
  if (!walked) return std::move(walked).error();
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(exports)

BOOST_AUTO_TEST_CASE(fields_are_quoted_as_rfc_4180_says_and_keep_their_bytes) {
  BOOST_TEST(csv_row({"plain", "", "a,b", "say \"hi\"", "two\nlines", "cr\rhere"}) ==
             "plain,,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\"cr\rhere\"\n");
  // Backslashes are not an escape (the original doubled them).
  BOOST_TEST(csv_row({R"(C:\new \"x\" \\)", "|"}) == "\"C:\\new \\\"\"x\\\"\" \\\\\",|\n");
  BOOST_TEST(csv_row({"\xF0\x9F\x98\x80 \xC3\xA9", " spaced "}) ==
             "\xF0\x9F\x98\x80 \xC3\xA9, spaced \n");
  BOOST_TEST(csv_row({std::string("nul\0in", 6)}) == std::string("nul\0in\n", 7));
  // One replacement for each maximal invalid part, as in Python.
  BOOST_TEST(csv_row({"a\xFF"
                      "b\xE2\x82"
                      "c\xED\xA0\x80"}) ==
             "a\xEF\xBF\xBD"
             "b\xEF\xBF\xBD"
             "c\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\n");
  BOOST_TEST(csv_number(std::optional<double>(0.1)) == "0.1");
  BOOST_TEST(csv_number(std::optional<double>(std::numeric_limits<double>::quiet_NaN())) == "");
  BOOST_TEST(csv_number(std::optional<double>()) == "");
}

BOOST_AUTO_TEST_CASE(predictions_match_byte_for_byte) {
  TemporaryFolder folder;
  const RequestRow odd = request_for(odd_item());
  const RequestRow plain = request_for(item(1, TaskType::open_book));
  auto control = new_arm(folder / "c.sqlite", {odd, plain});
  auto warm = new_arm(folder / "w.sqlite", {odd, plain});
  auto treatment = new_arm(folder / "t.sqlite", {plain, odd});  // items follow the first arm

  ResultRow full = answer(odd, "back\\slash, \"quoted\"\nline \xF0\x9F\x98\x80");
  full.prompt_tokens = 10;
  full.completion_tokens = 5;
  full.latency_ms = 1234.5678;
  full.cached = true;
  require_ok(control->put_result(result_for(odd.request_id, Outcome::error_backend)));
  require_ok(control->put_result(full));
  ResultRow cut = answer(plain, "bad \xFF");
  cut.outcome = Outcome::truncated;
  cut.finish_reason = "length";
  cut.completion_tokens = 7;
  require_ok(treatment->put_result(cut));

  const auto path = folder / "results" / "predictions.csv";
  const std::string digest =
      value_of(export_predictions(path, {{Condition::treatment, 0.0, treatment.get()},
                                         {Condition::control, 0.25, warm.get()},
                                         {Condition::control, 0.0, control.get()}}));
  const std::string odd_start = "da%7Cta|a%7Cb%25c|control|0.7|0|closed,da|ta,a|b%c,";
  const std::string plain_start = "squad|q1|control|0.7|0|open,squad,q1,";
  const std::string odd_key = odd.request_id + "\n", plain_key = plain.request_id + "\n";
  const std::string expected =
      header + odd_start +
      "control,0,0,closed,r1,stop,\"back\\slash, \"\"quoted\"\"\nline \xF0\x9F\x98\x80\",10,5,15,"
      "ok,2,true,1234.568," +
      odd_key + odd_start + "control,0.25,0,closed,,,,,,,missing,,,," + odd_key + odd_start +
      "treatment,0,0,closed,,,,,,,missing,,,," + odd_key + plain_start +
      "control,0,0,open,,,,,,,missing,,,," + plain_key + plain_start +
      "control,0.25,0,open,,,,,,,missing,,,," + plain_key + plain_start +
      "treatment,0,0,open,r1,length,bad \xEF\xBF\xBD,,7,,truncated,1,false,," + plain_key;
  const std::string written = value_of(read_file(path));
  BOOST_TEST(written == expected);
  BOOST_TEST(digest == sha256_hex(written));
  // The export reads; what is stored keeps its bytes.
  BOOST_TEST(value_of(treatment->accepted(plain.request_id))->result.text == "bad \xFF");
}

BOOST_AUTO_TEST_CASE(samples_of_an_item_stand_together_in_order) {
  TemporaryFolder folder;
  std::vector<RequestRow> rows{request_for(item(0), 1), request_for(item(1), 0),
                               request_for(item(0), 0), request_for(item(1), 1)};
  auto store = new_arm(folder / "arm.sqlite", rows);
  value_of(export_predictions(folder / "p.csv", {{Condition::control, 0, store.get()}}));
  const std::string text = value_of(read_file(folder / "p.csv"));
  std::size_t at = 0;
  for (const char* id : {"id-nq|q0-0", "id-nq|q0-1", "id-nq|q1-0", "id-nq|q1-1"}) {
    at = text.find(id, at);
    BOOST_REQUIRE_MESSAGE(at != std::string::npos, id);
  }
}

BOOST_AUTO_TEST_CASE(an_export_replaces_the_file_whole_with_the_usual_mode) {
  TemporaryFolder folder;
  auto store = new_arm(folder / "arm.sqlite", request_rows(1));
  const auto path = folder / "results" / "p.csv";
  require_ok(write_file_atomic(path, "old"));
  const mode_t before = ::umask(022);
  value_of(export_predictions(path, {{Condition::control, 0, store.get()}}));
  ::umask(before);
  struct stat info {};
  BOOST_REQUIRE_EQUAL(::stat(path.c_str(), &info), 0);
  BOOST_TEST((info.st_mode & 0777) == 0644U);
  // A file that is given up leaves the old one as it was.
  {
    auto file = value_of(AtomicFile::create(path));
    require_ok(file.append("half a r"));
  }
  BOOST_TEST(value_of(read_file(path)).starts_with("custom_id,"));
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(path.parent_path()), {}) == 1);
}

BOOST_AUTO_TEST_CASE(item_means_hold_the_answers_that_count) {
  TemporaryFolder folder;
  Item open = item(0, TaskType::open_book);
  open.metric = Metric::squad_v2;
  open.is_unanswerable = true;
  const std::vector<Item> items{open, item(1), item(2)};
  std::vector<RequestRow> rows;
  for (const Item& of : items) {
    for (int sample = 0; sample < 2; ++sample) rows.push_back(request_for(of, sample));
  }
  auto store = new_arm(folder / "arm.sqlite", rows);
  require_ok(store->put_result(result_for(rows[0].request_id)));
  require_ok(store->put_result(result_for(rows[1].request_id, Outcome::truncated)));
  require_ok(store->put_result(result_for(rows[2].request_id, Outcome::filtered)));
  require_ok(store->put_result(result_for(rows[3].request_id, Outcome::error_request)));
  require_ok(store->put_result(result_for(rows[4].request_id, Outcome::prompt_truncated)));
  check_refused(item_scores(*store, items, false), Code::state, "1 answers");
  const Score right{.em = 1, .f1 = 1, .abstained = true, .false_answer = 0, .unsupported = {}};
  require_ok(store->put_scores("rules", {{rows[0].request_id, right}}));

  const auto excluded = value_of(item_scores(*store, items, false));
  BOOST_REQUIRE_EQUAL(excluded.size(), 1U);
  BOOST_TEST(excluded[0].item_key == item_key(open));
  BOOST_TEST(excluded[0].samples == 1);
  BOOST_TEST(excluded[0].em == 1);

  const auto wrong = value_of(item_scores(*store, items, true));
  BOOST_REQUIRE_EQUAL(wrong.size(), 2U);
  BOOST_TEST(wrong[0].samples == 2);
  BOOST_TEST(wrong[0].em == 0.5);
  BOOST_TEST(wrong[0].abstain_rate == 0.5);
  BOOST_CHECK(wrong[0].f1 == 0.5 && wrong[0].false_answer_rate == 0.5);
  BOOST_CHECK(!wrong[0].unsupported_rate);
  BOOST_TEST(wrong[1].item_key == item_key(items[1]));
  BOOST_TEST(wrong[1].em == 0);
  BOOST_CHECK(!wrong[1].f1 && !wrong[1].false_answer_rate);  // nq_open has no F1

  check_refused(item_scores(*store, {items[1], items[2]}, false), Code::data, "squad|q0");

  value_of(export_item_scores(folder / "s.csv", {{Condition::control, 0.5, store.get()}},
                              ItemList(items)));
  BOOST_TEST(value_of(read_file(folder / "s.csv")) ==
             "abstain_rate,abstain_rate_std,condition,em,em_std,f1,f1_std,false_answer_rate,"
             "false_answer_rate_std,item_key,temp,type,unsupported_rate,unsupported_rate_std\n"
             "1,,control,1,,1,,0,,squad|q0,0.5,open,,\n"
             ",,control,,,,,,,nq|q1,0.5,closed,,\n"
             ",,control,,,,,,,nq|q2,0.5,closed,,\n");
}

BOOST_AUTO_TEST_CASE(score_rows_go_by_item_then_condition_then_temperature) {
  TemporaryFolder folder;
  const std::vector<Item> items{item(0), item(1)};
  auto control =
      scored_arm(folder / "c.sqlite", items,
                 {.em = 1, .f1 = {}, .abstained = false, .false_answer = {}, .unsupported = {}});
  auto warm = scored_arm(folder / "w.sqlite", {items[0]}, Score{});
  auto treatment = scored_arm(folder / "t.sqlite", items, Score{});
  value_of(export_item_scores(folder / "s.csv",
                              {{Condition::treatment, 0, treatment.get()},
                               {Condition::control, 1, warm.get()},
                               {Condition::control, 0, control.get()}},
                              ItemList(items)));
  const std::string text = value_of(read_file(folder / "s.csv"));
  BOOST_TEST(text.substr(text.find('\n') + 1) ==
             "0,,control,1,,,,,,nq|q0,0,closed,,\n"
             "0,,control,0,,,,,,nq|q0,1,closed,,\n"
             "0,,treatment,0,,,,,,nq|q0,0,closed,,\n"
             "0,,control,1,,,,,,nq|q1,0,closed,,\n"
             "0,,treatment,0,,,,,,nq|q1,0,closed,,\n");
}

BOOST_AUTO_TEST_CASE(how_fast_rows_go_out) {
  TemporaryFolder folder;
  const auto rows = request_rows(20'000);
  auto store = new_arm(folder / "arm.sqlite", rows);
  for (const RequestRow& row : rows) require_ok(store->put_result(result_for(row.request_id)));
  require_ok(store->flush());
  const auto start = std::chrono::steady_clock::now();
  value_of(export_predictions(folder / "p.csv", {{Condition::control, 0, store.get()}}));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  BOOST_TEST(std::filesystem::file_size(folder / "p.csv") > 20'000 * 50U);
  BOOST_TEST_MESSAGE(static_cast<int>(20'000 / took.count()) << " rows/s exported");
}

BOOST_AUTO_TEST_SUITE_END()
