// SPDX-License-Identifier: Apache-2.0
#include "run/reuse.h"

#include <boost/test/unit_test.hpp>
#include <map>
#include <vector>

#include "prompt/render.h"
#include "temporary_folder.h"

using namespace promptsweep;

namespace {

const std::string engine_says = R"({"build":"1","engine":"scripted"})";
const EngineSpec engine{"engine", "scripted", "small", "{}", "auto"};

template <class T>
T value_of(Result<T> result) {
  BOOST_REQUIRE_MESSAGE(bool(result), (result ? std::string() : result.error().text));
  return std::move(result).value();
}
void require_ok(const Status& status) {
  BOOST_REQUIRE_MESSAGE(bool(status), (status ? std::string() : status.error().text));
}

// Arms of one run after another, over one cache.
struct ReuseFixture {
  TemporaryFolder folder;
  std::unique_ptr<ResponseCache> cache =
      value_of(ResponseCache::open(folder / response_cache_name));
  std::vector<Item> items;
  int stores = 0;

  ReuseFixture() {
    for (int i = 0; i < 6; ++i) {
      Item item;
      item.dataset = "d";
      item.id = std::to_string(i);
      item.question = "Question " + item.id + "?";
      items.push_back(item);
    }
  }

  static ArmSpec arm(const std::string& options = R"({"style":"plain"})") {
    ArmSpec spec;
    spec.arm_id = "arm";
    spec.identity_json = R"({"backend":"scripted","options":)" + options + "}";
    spec.engine_id = "engine";
    spec.system_prompt = "Be brief.";
    spec.decoding.temperature = 0.7;
    return spec;
  }

  std::unique_ptr<ArmStore> store_of(const ArmSpec& spec,
                                     const std::string& identity = engine_says) {
    auto store = value_of(ArmStore::open(folder / (std::to_string(stores++) + ".sqlite")));
    require_ok(store->initialise(spec, [&](const ArmStore::TakeRequest& take) {
      return for_each_request_row(spec, "small", ItemList(items), take);
    }));
    require_ok(store->record_engine_identity(identity));
    return store;
  }
  // Answers what is pending; the n-th request with outcomes[n], the rest ok.
  static void answer(ArmStore& store, const std::string& prefix,
                     const std::vector<Outcome>& outcomes = {}) {
    std::size_t n = 0;
    for (const RequestRow& request : value_of(store.pending())) {
      ResultRow row;
      row.request_id = request.request_id;
      row.outcome = n < outcomes.size() ? outcomes[n] : Outcome::ok;
      row.text = is_missing_data(row.outcome) ? "" : prefix + request.item_key;
      row.finish_reason = "stop";
      row.latency_ms = 5.0;
      row.finished_unix_us = 1'000'000;
      require_ok(store.put_result(row));
      ++n;
    }
    require_ok(store.flush());
  }
  static std::map<std::string, ResultRow> rows_of(ArmStore& store) {
    std::map<std::string, ResultRow> out;
    require_ok(store.for_each_accepted([&](const ArmStore::AcceptedResult& row) -> Status {
      out[row.request.item_key + "#" + std::to_string(row.request.sample_index)] = row.result;
      return ok;
    }));
    return out;
  }
  std::int64_t enter(ArmStore& store, const ArmSpec& spec) {
    return value_of(enter_into_cache(store, spec, engine, "run", *cache));
  }
  std::int64_t fill(ArmStore& store, const ArmSpec& spec,
                    const std::string& identity = engine_says) {
    return value_of(fill_from_cache(store, spec, identity, *cache));
  }
  // How many requests of an arm like this would be answered from what the standard arm left.
  std::int64_t filled_in(const ArmSpec& spec, const std::string& identity = engine_says) {
    return fill(*store_of(spec, identity), spec, identity);
  }
  void enter_standard_arm() {
    const auto store = store_of(arm());
    answer(*store, "first ");
    BOOST_TEST(enter(*store, arm()) == 6);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(reuse, ReuseFixture)

BOOST_AUTO_TEST_CASE(names) {
  for (Reuse value : {Reuse::none, Reuse::controls, Reuse::all}) {
    BOOST_CHECK(reuse_from(to_string(value)) == value);
  }
  BOOST_TEST(!reuse_from("some").has_value());
}

BOOST_AUTO_TEST_CASE(who_may_reuse) {
  ArmSpec control = arm(), treatment = arm(), salted = arm();
  treatment.condition = Condition::treatment;
  salted.salt = "second";
  BOOST_TEST(!may_reuse(Reuse::none, control));
  BOOST_TEST(!may_reuse(Reuse::none, treatment));
  BOOST_TEST(may_reuse(Reuse::controls, control));
  BOOST_TEST(!may_reuse(Reuse::controls, treatment));
  BOOST_TEST(may_reuse(Reuse::all, treatment));
  BOOST_TEST(!may_reuse(Reuse::controls, salted));
  BOOST_TEST(!may_reuse(Reuse::all, salted));
  BOOST_TEST(!why_not_cached(control, engine_says).has_value());
  BOOST_TEST(why_not_cached(salted, engine_says)->find("A/A") != std::string::npos);
  BOOST_TEST(why_not_cached(control, "{}")->find("does not say what it is") != std::string::npos);
  BOOST_TEST(why_not_cached(control, R"({"engine":"dry-run"})")->find("dry run") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_equal_arm_needs_no_request) {
  enter_standard_arm();
  const auto later = store_of(arm());
  std::vector<std::string> heard;
  BOOST_TEST(value_of(fill_from_cache(*later, arm(), engine_says, *cache,
                                      [&](const std::string& id) { heard.push_back(id); })) == 6);
  BOOST_TEST(heard.size() == 6u);
  BOOST_TEST(value_of(later->progress()).complete());
  require_ok(later->verify());
  for (const auto& [item, row] : rows_of(*later)) {
    BOOST_TEST(row.text.substr(0, 6) == "first ");
    BOOST_TEST(row.cached);
    BOOST_TEST(row.attempts == 0);
    BOOST_TEST(!row.latency_ms.has_value());
    BOOST_TEST(row.finished_unix_us == 1'000'000);
  }
  // It adds nothing, and only says that they were used.
  const std::int64_t used = value_of(cache->info()).oldest_use_unix_us.value();
  BOOST_TEST(enter(*later, arm()) == 0);
  BOOST_TEST(value_of(cache->info()).rows == 6);
  BOOST_TEST(value_of(cache->info()).oldest_use_unix_us.value() > used);
}

BOOST_AUTO_TEST_CASE(another_run_id_or_arm_id_changes_nothing_and_content_does) {
  enter_standard_arm();
  ArmSpec renamed = arm();
  renamed.arm_id = "another";
  renamed.condition = Condition::treatment;
  BOOST_TEST(filled_in(renamed) == 6);

  ArmSpec edited = arm();
  edited.system_prompt += " Please.";
  BOOST_TEST(filled_in(edited) == 0);
  ArmSpec longer = arm();
  longer.decoding.max_new_tokens.closed_book = 17;
  BOOST_TEST(filled_in(longer) == 0);
  ArmSpec warmer = arm();
  warmer.decoding.temperature = 0.8;
  BOOST_TEST(filled_in(warmer) == 0);
  ArmSpec reseeded = arm();
  reseeded.decoding.seed = 5;
  BOOST_TEST(filled_in(reseeded) == 0);
  BOOST_TEST(filled_in(arm(R"({"style":"shout"})")) == 0);
  BOOST_TEST(filled_in(arm(), R"({"build":"2","engine":"scripted"})") == 0);
  ArmSpec elsewhere = arm();
  elsewhere.identity_json = R"({"backend":"other","options":{"style":"plain"}})";
  BOOST_TEST(filled_in(elsewhere) == 0);
  // More items: the known ones are filled, the new one is asked for.
  items.push_back(items.back());
  items.back().id = "new";
  items.back().question = "Something new?";
  BOOST_TEST(filled_in(arm()) == 6);
}

BOOST_AUTO_TEST_CASE(samples_are_told_apart_even_without_a_seed) {
  ArmSpec greedy = arm();
  greedy.decoding.temperature = 0;
  greedy.decoding.samples_per_item = 2;
  const auto store = store_of(greedy);
  answer(*store, "x");
  BOOST_TEST(enter(*store, greedy) == 12);
  // At temperature 0 the configured seed is not sent and changes nothing.
  ArmSpec reseeded = greedy;
  reseeded.decoding.seed = 99;
  BOOST_TEST(filled_in(reseeded) == 12);
  greedy.decoding.samples_per_item = 1;
  BOOST_TEST(filled_in(greedy) == 6);
}

BOOST_AUTO_TEST_CASE(an_incomplete_arm_is_not_kept) {
  const auto store = store_of(arm());
  answer(*store, "x", {Outcome::ok, Outcome::error_backend});
  BOOST_TEST(!value_of(store->progress()).complete());
  BOOST_TEST(enter(*store, arm()) == 0);
  BOOST_TEST(value_of(cache->info()).rows == 0);
  answer(*store, "y");
  BOOST_TEST(enter(*store, arm()) == 6);
}

BOOST_AUTO_TEST_CASE(refused_requests_of_a_complete_arm_are_asked_again_later) {
  const auto store = store_of(arm());
  answer(*store, "x",
         {Outcome::truncated, Outcome::error_request, Outcome::empty, Outcome::filtered,
          Outcome::prompt_truncated});
  BOOST_TEST(value_of(store->progress()).complete());
  BOOST_TEST(enter(*store, arm()) == 4);
  const auto later = store_of(arm());
  BOOST_TEST(fill(*later, arm()) == 4);
  BOOST_TEST(value_of(later->pending()).size() == 2u);
}

BOOST_AUTO_TEST_CASE(what_is_answered_or_in_a_job_is_left_alone) {
  enter_standard_arm();
  const auto later = store_of(arm());
  const auto pending = value_of(later->pending());
  ResultRow own;
  own.request_id = pending[0].request_id;
  own.outcome = Outcome::ok;
  own.text = "own";
  require_ok(later->put_result(own));
  JobRow job;
  job.job_id = "job";
  job.type = pending[1].type;
  require_ok(later->record_job_intent(job, {pending[1].request_id}));
  BOOST_TEST(fill(*later, arm()) == 4);
  BOOST_TEST(value_of(later->duplicates_dropped()) == 0);
  BOOST_TEST(value_of(later->accepted(pending[0].request_id))->result.text == "own");
  BOOST_TEST(!value_of(later->accepted(pending[1].request_id)).has_value());
}

BOOST_AUTO_TEST_CASE(an_arm_without_a_readable_identity_is_refused) {
  ArmSpec broken = arm();
  broken.identity_json = "{}";
  const auto store = store_of(broken);
  const auto filled = fill_from_cache(*store, broken, engine_says, *cache);
  BOOST_REQUIRE(!filled);
  BOOST_CHECK(filled.error().code == Code::data);
  answer(*store, "x");
  BOOST_TEST(!enter_into_cache(*store, broken, engine, "run", *cache));
}

BOOST_AUTO_TEST_SUITE_END()
