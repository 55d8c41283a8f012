// SPDX-License-Identifier: Apache-2.0
// backend.hpp through the C table that it makes, with a backend whose run() the test writes.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <functional>
#include <map>
#include <promptsweep/backend.hpp>
#include <set>

#include "temporary_folder.h"

namespace {

std::function<void(psw::Job&)> run_now;  // what the backend does with its next jobs

// Boost's checks belong to the main thread; those of run() are counted and judged at the end.
std::atomic<int> broken_expectations{0};
void expect(bool holds) {
  if (!holds) ++broken_expectations;
}
struct JudgeExpectations {
  JudgeExpectations() { broken_expectations = 0; }
  ~JudgeExpectations() { BOOST_TEST(broken_expectations == 0); }
};

class Scripted {
 public:
  static void validate(std::string_view config) {
    if (config == "bad") throw psw::Error(PSW_E_CONFIG, "/bad: is bad");
    if (config == "odd") throw 5;
  }
  Scripted(psw::Host, std::string_view) {}
  void run(psw::Job& job) { run_now(job); }
  std::string identity() { return std::string(300, 'x'); }
  static psw::Resources estimate(std::string_view) { return {1, 2, "basis"}; }
};

class Attaching : public Scripted {
 public:
  using Scripted::Scripted;
  static constexpr bool attaches = true;
};

const psw_limits limits = {sizeof(psw_limits), 4, 100, 200, 0, 0, 10, 1000, 1000, 1000};
#define DESCRIPTOR(capabilities)                                                              \
  {                                                                                           \
    sizeof(psw_descriptor), 0, PSW_LIT("scripted"), PSW_LIT("S"), PSW_LIT("v"), PSW_LIT("1"), \
        PSW_LIT("l"), capabilities, &limits, PSW_LIT("{}"), PSW_LIT("[]")                     \
  }
const psw_descriptor partial = DESCRIPTOR(PSW_CAP_PARTIAL_FETCH);
const psw_descriptor whole = DESCRIPTOR(0);

struct Marks {
  std::mutex mutex;
  std::multiset<std::uint64_t> begun;
};

void mark(psw_host* h, psw_job, uint64_t index, int32_t what) noexcept {
  auto& marks = *reinterpret_cast<Marks*>(h);
  std::lock_guard<std::mutex> lock(marks.mutex);
  if (what == PSW_MARK_BEGIN) {
    marks.begun.insert(index);
  } else {
    marks.begun.erase(index);
  }
}

// Drives one backend.
template <class Plugin>
struct Driver {
  using P = Plugin;
  TemporaryFolder folder;
  Marks marks;
  psw_host_api host{};
  psw_backend* backend = nullptr;
  psw_job last_job = 0;

  Driver() {
    host.struct_size = sizeof host;
    host.self = reinterpret_cast<psw_host*>(&marks);
    host.mark = mark;
    psw_create_args args{};
    args.struct_size = sizeof args;
    args.host = &host;
    args.config_json = psw::to_str("{}");
    BOOST_REQUIRE(P::create(&args, &backend, nullptr) == PSW_OK);
  }
  ~Driver() { P::destroy(backend); }

  psw_status submit(const std::vector<std::string>& json_ids, std::uint32_t flags = 0,
                    const std::string& key = "", std::uint64_t claimed = 0) {
    const std::string path = (folder / (std::to_string(++last_job) + ".jsonl")).string();
    std::ofstream out(path, std::ios::binary);
    for (const std::string& id : json_ids) out << "{\"request_id\":\"" << id << "\",\"n\":1}\n";
    out.close();
    psw_submit_args args{};
    args.struct_size = sizeof args;
    args.flags = flags;
    args.job = last_job;
    args.requests_path = psw::to_str(path);
    args.request_count = claimed != 0 ? claimed : json_ids.size();
    args.idempotency_key = psw::to_str(key);
    return P::submit(backend, &args, nullptr);
  }
  psw_job_status poll() {
    psw_job_status s{};
    s.struct_size = sizeof s;
    BOOST_REQUIRE(P::poll(backend, last_job, &s, nullptr) == PSW_OK);
    return s;
  }
  struct Taken {
    std::int32_t outcome;
    std::string body;
    psw_status code;
    std::int64_t started, finished;
    int count = 0;
  };
  struct Sink {
    std::map<std::string, Taken> taken;
    int refuse_every = 0, offered = 0, refused = 0;
    static psw_status emit(void* self, const psw_record* r, psw_error*) noexcept {
      auto& sink = *static_cast<Sink*>(self);
      if (sink.refuse_every != 0 && ++sink.offered % sink.refuse_every == 0) {
        ++sink.refused;
        return PSW_E_RESOURCE;
      }
      auto& t = sink.taken[std::string(psw::view(r->request_id))];
      const int count = t.count + 1;
      t = {r->outcome,          std::string(psw::view(r->body_json)),
           r->error_code,       r->started_unix_us,
           r->finished_unix_us, count};
      return PSW_OK;
    }
  };
  psw_status fetch(Sink& sink, std::uint32_t budget_ms = 50, psw_fetch_result* result = nullptr,
                   std::uint64_t max = 1000) {
    psw_sink table{};
    table.struct_size = sizeof table;
    table.self = &sink;
    table.emit = Sink::emit;
    psw_fetch_args args{};
    args.struct_size = sizeof args;
    args.budget_ms = budget_ms;
    args.job = last_job;
    args.max_records = max;
    args.sink = &table;
    return P::fetch(backend, &args, result, nullptr);
  }
  std::map<std::string, Taken> drain(int refuse_every = 0) {
    Sink sink;
    sink.refuse_every = refuse_every;
    for (;;) {
      const bool ended = poll().state >= PSW_JOB_SUCCEEDED;
      psw_fetch_result result{};
      result.struct_size = sizeof result;
      const psw_status status = fetch(sink, 50, &result, 7);
      if (ended && status == PSW_OK && result.emitted == 0 && result.more == 0) break;
    }
    BOOST_TEST((refuse_every == 0) == (sink.refused == 0));
    for (const auto& [id, t] : sink.taken) BOOST_TEST(t.count == 1, id);
    return sink.taken;
  }
};

using Partial = Driver<psw::Plugin<Scripted, partial>>;
using Whole = Driver<psw::Plugin<Scripted, whole>>;
using Attach = Driver<psw::Plugin<Attaching, partial>>;

std::vector<std::string> ids(int count) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) out.push_back("r" + std::to_string(i));
  return out;
}

void answer_all(psw::Job& job) {
  psw::Request request;
  while (!job.stopping() && job.next(request)) job.deliver(request, "{}");
}

BOOST_FIXTURE_TEST_SUITE(layer, JudgeExpectations)

BOOST_AUTO_TEST_CASE(records_survive_a_sink_that_refuses_every_third) {
  Partial driver;
  run_now = answer_all;
  BOOST_REQUIRE(driver.submit(ids(60)) == PSW_OK);
  BOOST_TEST(driver.drain(3).size() == 60u);
  const psw_job_status s = driver.poll();
  BOOST_TEST(s.state == PSW_JOB_SUCCEEDED);
  BOOST_TEST(s.requests_done == 60u);
  BOOST_TEST(s.requests_failed == 0u);
  BOOST_TEST(s.records_ready == 0u);
  BOOST_TEST(driver.marks.begun.empty());
}

BOOST_AUTO_TEST_CASE(an_exception_turns_into_error_records) {
  Partial driver;
  run_now = [](psw::Job& job) {
    psw::Request request;
    job.next(request);
    job.deliver(request, "{}");
    throw psw::Error(PSW_E_UNAVAILABLE, "the \"server\" is gone\n");
  };
  BOOST_REQUIRE(driver.submit(ids(3)) == PSW_OK);
  auto taken = driver.drain();
  BOOST_TEST(taken.size() == 3u);
  BOOST_TEST(taken["r0"].outcome == PSW_OUTCOME_OK);
  BOOST_TEST(taken["r1"].outcome == PSW_OUTCOME_ERROR_BACKEND);
  BOOST_TEST(taken["r1"].code == PSW_E_UNAVAILABLE);
  BOOST_TEST(taken["r1"].body == R"({"error":"the \"server\" is gone\u000a"})");
  BOOST_TEST(driver.poll().state == PSW_JOB_FAILED);
  BOOST_TEST(driver.poll().failure == PSW_E_UNAVAILABLE);
}

BOOST_AUTO_TEST_CASE(a_lazy_run_still_answers_everything) {
  Partial driver;
  run_now = [](psw::Job&) {};
  BOOST_REQUIRE(driver.submit(ids(2)) == PSW_OK);
  auto taken = driver.drain();
  BOOST_TEST(taken.size() == 2u);
  BOOST_TEST(taken["r0"].outcome == PSW_OUTCOME_ERROR_BACKEND);
  BOOST_TEST(taken["r0"].code == PSW_E_DATA);
}

BOOST_AUTO_TEST_CASE(only_the_first_answer_counts) {
  Partial driver;
  run_now = [](psw::Job& job) {
    psw::Request request;
    while (job.next(request)) {
      expect(job.deliver(request, "{\"text\":\"first\"}"));
      expect(!job.deliver(request, "{\"text\":\"second\"}"));
      expect(!job.fail(request, psw::Error(PSW_E_DATA, "third")));
    }
    request.index = 1000;
    expect(!job.deliver(request, "{}"));
  };
  BOOST_REQUIRE(driver.submit(ids(4)) == PSW_OK);
  for (const auto& [id, t] : driver.drain()) BOOST_TEST(t.body == "{\"text\":\"first\"}");
}

BOOST_AUTO_TEST_CASE(cancel_leaves_cancelled_records_and_late_answers_are_dropped) {
  Partial driver;
  psw::Request late;
  std::shared_ptr<psw::Job> handle;
  run_now = [&](psw::Job& job) {
    psw::Request request;
    job.next(request);
    job.deliver(request, "{}");
    job.next(late);
    handle = std::make_shared<psw::Job>(job);
    expect(!job.wait_answered());
  };
  BOOST_REQUIRE(driver.submit(ids(5)) == PSW_OK);
  while (driver.poll().requests_done < 1) std::this_thread::yield();
  BOOST_TEST(Partial::P::close(driver.backend, driver.last_job, nullptr) == PSW_E_STATE);
  BOOST_TEST(Partial::P::cancel(driver.backend, driver.last_job, nullptr) == PSW_OK);
  BOOST_TEST(Partial::P::cancel(driver.backend, driver.last_job, nullptr) == PSW_OK);
  auto taken = driver.drain();
  BOOST_TEST(taken.size() == 5u);
  BOOST_TEST(taken["r0"].outcome == PSW_OUTCOME_OK);
  for (const char* id : {"r1", "r2", "r3", "r4"}) {
    BOOST_TEST(taken[id].outcome == PSW_OUTCOME_CANCELLED);
    BOOST_TEST(taken[id].code == PSW_E_CANCELLED);
  }
  BOOST_TEST(driver.poll().state == PSW_JOB_CANCELLED);
  BOOST_TEST(!handle->deliver(late, "{}"));
  handle.reset();
  BOOST_TEST(Partial::P::close(driver.backend, driver.last_job, nullptr) == PSW_OK);
  psw_job_status s{};
  s.struct_size = sizeof s;
  BOOST_TEST(Partial::P::poll(driver.backend, driver.last_job, &s, nullptr) == PSW_E_NOT_FOUND);
}

BOOST_AUTO_TEST_CASE(an_engine_thread_answers_many_jobs) {
  Partial driver;
  std::mutex mutex;
  std::vector<std::pair<psw::Job, psw::Request>> queue;
  std::atomic<bool> quit{false};
  std::vector<std::thread> engine;
  for (int i = 0; i < 3; ++i) {
    engine.emplace_back([&] {
      while (!quit) {
        std::unique_lock<std::mutex> lock(mutex);
        if (queue.empty()) {
          lock.unlock();
          std::this_thread::yield();
          continue;
        }
        auto [job, request] = std::move(queue.back());
        queue.pop_back();
        lock.unlock();
        job.begin(request);
        job.deliver(request, "{}", PSW_OUTCOME_OK, {2, 3});
      }
    });
  }
  run_now = [&](psw::Job& job) {
    psw::Request request;
    while (job.read(request)) {
      std::lock_guard<std::mutex> lock(mutex);
      queue.emplace_back(job, request);
    }
    expect(job.wait_answered());
  };
  for (int i = 0; i < 5; ++i) BOOST_REQUIRE(driver.submit(ids(80)) == PSW_OK);
  for (psw_job job = 1; job <= 5; ++job) {
    driver.last_job = job;
    BOOST_TEST(driver.drain().size() == 80u);
    BOOST_TEST(driver.poll().prompt_tokens == 160u);
    BOOST_TEST(driver.poll().completion_tokens == 240u);
  }
  quit = true;
  for (std::thread& thread : engine) thread.join();
  BOOST_TEST(driver.marks.begun.empty());
}

BOOST_AUTO_TEST_CASE(poll_and_fetch_do_not_wait_for_run) {
  Partial driver;
  run_now = [](psw::Job& job) {
    while (!job.sleep(10000)) {
    }
  };
  BOOST_REQUIRE(driver.submit(ids(1)) == PSW_OK);
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  for (int i = 0; i < 100; ++i) driver.poll();
  Partial::Sink sink;
  BOOST_TEST(driver.fetch(sink, 0) == PSW_OK);
  BOOST_TEST((Clock::now() - begin < std::chrono::milliseconds(500)));
  const auto waiting = Clock::now();
  BOOST_TEST(driver.fetch(sink, 80) == PSW_OK);
  BOOST_TEST((Clock::now() - waiting >= std::chrono::milliseconds(80)));
  BOOST_TEST(sink.taken.empty());
}

BOOST_AUTO_TEST_CASE(fetch_returns_as_soon_as_a_record_is_there) {
  Partial driver;
  run_now = [](psw::Job& job) {
    psw::Request request;
    job.next(request);
    job.sleep(30);
    job.deliver(request, "{}");
    while (!job.sleep(10000)) {
    }
  };
  BOOST_REQUIRE(driver.submit(ids(2)) == PSW_OK);
  const auto begin = std::chrono::steady_clock::now();
  Partial::Sink sink;
  BOOST_TEST(driver.fetch(sink, 20000) == PSW_OK);
  BOOST_TEST(sink.taken.size() == 1u);
  BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds(10)));
  BOOST_TEST(sink.taken["r0"].finished - sink.taken["r0"].started >= 30000);
}

BOOST_AUTO_TEST_CASE(without_partial_fetch_nothing_leaves_before_the_end) {
  Whole driver;
  std::atomic<bool> go{false};
  run_now = [&](psw::Job& job) {
    answer_all(job);
    while (!go && !job.sleep(1)) {
    }
  };
  BOOST_REQUIRE(driver.submit(ids(3)) == PSW_OK);
  while (driver.poll().requests_done < 3) std::this_thread::yield();
  Whole::Sink sink;
  BOOST_TEST(driver.fetch(sink, 10) == PSW_OK);
  BOOST_TEST(sink.taken.empty());
  go = true;
  BOOST_TEST(driver.drain().size() == 3u);
}

BOOST_AUTO_TEST_CASE(ids_are_decoded) {
  Partial driver;
  run_now = answer_all;
  BOOST_REQUIRE(driver.submit({R"(a\"\\\/\n\t\r\b\f)", R"(\u00e9\u4E2d)", R"(\ud83d\ude00)",
                               "\xE4\xB8\xAD", R"(\u0000x)"}) == PSW_OK);
  const auto taken = driver.drain();
  BOOST_TEST(taken.count("a\"\\/\n\t\r\b\f") == 1u);
  BOOST_TEST(taken.count("\xC3\xA9\xE4\xB8\xAD") == 1u);
  BOOST_TEST(taken.count("\xF0\x9F\x98\x80") == 1u);
  BOOST_TEST(taken.count("\xE4\xB8\xAD") == 1u);
  BOOST_TEST(taken.count(std::string("\0x", 2)) == 1u);
}

BOOST_AUTO_TEST_CASE(bad_jobs_are_refused_and_do_not_exist) {
  Partial driver;
  run_now = answer_all;
  psw_job_status s{};
  s.struct_size = sizeof s;
  const auto refused = [&](const std::vector<std::string>& json_ids, psw_status expected) {
    BOOST_TEST(driver.submit(json_ids) == expected);
    BOOST_TEST(Partial::P::poll(driver.backend, driver.last_job, &s, nullptr) == PSW_E_NOT_FOUND);
  };
  refused({"a", "b", "a"}, PSW_E_INVALID_ARGUMENT);
  refused({"a", R"(\u0061)"}, PSW_E_INVALID_ARGUMENT);
  refused({""}, PSW_E_INVALID_ARGUMENT);
  refused({R"(\ud83d)"}, PSW_E_INVALID_ARGUMENT);
  refused({R"(\uZZZZ)"}, PSW_E_INVALID_ARGUMENT);
  refused({std::string(300, 'x')}, PSW_E_TOO_LARGE);
  refused(ids(101), PSW_E_TOO_LARGE);
  BOOST_TEST(driver.submit({"a"}, 0, "", 2) == PSW_E_INVALID_ARGUMENT);
  BOOST_TEST(driver.submit({}) == PSW_OK);
  BOOST_TEST(driver.drain().empty());
}

BOOST_AUTO_TEST_CASE(one_key_one_job) {
  Partial driver;
  run_now = answer_all;
  BOOST_TEST(driver.submit({"a"}, PSW_SUBMIT_ATTACH_ONLY, "key") == PSW_E_NOT_FOUND);
  BOOST_REQUIRE(driver.submit({"a"}, 0, "key") == PSW_OK);
  const psw_job first = driver.last_job;
  BOOST_TEST(driver.submit({"a"}, 0, "key") == PSW_E_STATE);
  driver.last_job = first;
  driver.drain();
}

BOOST_AUTO_TEST_CASE(the_end_of_an_instance_is_no_cancellation) {
  std::atomic<int> running{0}, left{0}, cancelled{0};
  run_now = [&](psw::Job& job) {
    ++running;
    while (!job.sleep(10000)) {
    }
    ++(job.leaving() ? left : cancelled);
  };
  {
    Partial driver;
    BOOST_REQUIRE(driver.submit({"a"}) == PSW_OK);
    BOOST_TEST(Partial::P::cancel(driver.backend, driver.last_job, nullptr) == PSW_OK);
    while (driver.poll().state < PSW_JOB_SUCCEEDED) std::this_thread::yield();
    BOOST_REQUIRE(driver.submit({"a"}) == PSW_OK);
    while (running < 2) std::this_thread::yield();
  }
  BOOST_TEST(cancelled == 1);
  BOOST_TEST(left == 1);
}

BOOST_AUTO_TEST_CASE(a_provider_may_end_a_job) {
  struct End {
    std::int32_t state, outcome;
    psw_status code;
  };
  for (const End& end : {End{PSW_JOB_EXPIRED, PSW_OUTCOME_EXPIRED, PSW_E_TIMEOUT},
                         End{PSW_JOB_CANCELLED, PSW_OUTCOME_CANCELLED, PSW_E_CANCELLED}}) {
    Partial driver;
    run_now = [&](psw::Job& job) {
      psw::Request request;
      job.read(request);
      job.deliver(request, "{}");
      job.provider_ended(PSW_JOB_FAILED);  // no such end: run() throws instead
      job.provider_ended(end.state);
    };
    BOOST_REQUIRE(driver.submit(ids(3)) == PSW_OK);
    auto taken = driver.drain();
    BOOST_TEST(driver.poll().state == end.state);
    BOOST_TEST(driver.poll().failure == end.code);
    BOOST_TEST(taken["r0"].outcome == PSW_OUTCOME_OK);
    BOOST_TEST(taken["r1"].outcome == end.outcome);
    BOOST_TEST(taken["r2"].outcome == end.outcome);
  }
}

BOOST_AUTO_TEST_CASE(a_providers_progress_never_shrinks) {
  Whole driver;
  std::atomic<int> step{0};
  run_now = [&](psw::Job& job) {
    job.progress(2);
    job.progress(1);
    step = 1;
    while (step == 1 && !job.sleep(1)) {
    }
    job.progress(100);
    answer_all(job);
  };
  BOOST_REQUIRE(driver.submit(ids(3)) == PSW_OK);
  while (step == 0) std::this_thread::yield();
  BOOST_TEST(driver.poll().requests_done == 2u);
  BOOST_TEST(driver.poll().records_ready == 0u);
  step = 2;
  BOOST_TEST(driver.drain().size() == 3u);
  BOOST_TEST(driver.poll().requests_done == 3u);
}

BOOST_AUTO_TEST_CASE(an_absent_remote_job_fails_without_records) {
  Attach driver;
  run_now = [](psw::Job& job) {
    expect(job.attach_only());
    expect(job.idempotency_key() == "key");
    throw psw::Error(PSW_E_NOT_FOUND, "no such batch");
  };
  BOOST_REQUIRE(driver.submit(ids(3), PSW_SUBMIT_ATTACH_ONLY, "key") == PSW_OK);
  BOOST_TEST(driver.drain().empty());
  BOOST_TEST(driver.poll().state == PSW_JOB_FAILED);
  BOOST_TEST(driver.poll().failure == PSW_E_NOT_FOUND);
}

BOOST_AUTO_TEST_CASE(nothing_leaves_by_exception) {
  char text[64];
  psw_error error{};
  error.struct_size = sizeof error;
  error.message = {text, sizeof text, 0};
  psw_str config = psw::to_str("bad");
  BOOST_TEST(Partial::P::validate_config(&config, &error) == PSW_E_CONFIG);
  BOOST_TEST(std::string(text, error.message.len) == "/bad: is bad");
  config = psw::to_str("odd");
  BOOST_TEST(Partial::P::validate_config(&config, nullptr) == PSW_E_INTERNAL);
  BOOST_TEST(Partial::P::validate_config(nullptr, nullptr) == PSW_E_INVALID_ARGUMENT);
}

BOOST_AUTO_TEST_CASE(a_smaller_caller_is_not_overrun_and_a_larger_one_is_fine) {
  char text[4];
  struct {
    psw_error error;
    std::uint64_t canary;
  } place{};
  place.canary = 0x5a5a5a5a;
  place.error.struct_size = offsetof(psw_error, retry_after_ms);
  place.error.retry_after_ms = 77;
  psw_str config = psw::to_str("bad");
  BOOST_TEST(Partial::P::validate_config(&config, &place.error) == PSW_E_CONFIG);
  BOOST_TEST(place.error.code == PSW_E_CONFIG);
  BOOST_TEST(place.error.retry_after_ms == 77);
  place.error.struct_size = sizeof place;  // a newer host's
  place.error.message = {text, sizeof text, 0};
  BOOST_TEST(Partial::P::validate_config(&config, &place.error) == PSW_E_CONFIG);
  BOOST_TEST(place.canary == 0x5a5a5a5au);
  BOOST_TEST(place.error.message.len == 12u);
  BOOST_TEST((place.error.flags & PSW_ERR_TRUNCATED) != 0u);

  Partial driver;
  run_now = answer_all;
  BOOST_REQUIRE(driver.submit(ids(1)) == PSW_OK);
  driver.drain();
  psw_job_status s{};
  s.struct_size = offsetof(psw_job_status, requests_done);
  s.requests_done = 99;
  BOOST_TEST(Partial::P::poll(driver.backend, driver.last_job, &s, nullptr) == PSW_OK);
  BOOST_TEST(s.requests_total == 1u);
  BOOST_TEST(s.requests_done == 99u);
}

BOOST_AUTO_TEST_CASE(extensions_exist_where_the_author_wrote_them) {
  Partial driver;
  const auto* identity = static_cast<const psw_identity_api*>(
      Partial::P::get_extension(driver.backend, PSW_EXT_IDENTITY));
  BOOST_REQUIRE(identity != nullptr);
  char small[8];
  psw_out out{small, sizeof small, 0};
  BOOST_TEST(identity->get(driver.backend, &out, nullptr) == PSW_OK);
  BOOST_TEST(out.len == 300u);
  BOOST_TEST(Partial::P::get_extension(nullptr, PSW_EXT_RESOURCES) != nullptr);
  BOOST_TEST(Partial::P::get_extension(nullptr, PSW_EXT_TOKENIZE) == nullptr);
  BOOST_TEST(Partial::P::get_extension(nullptr, "psw.unknown/1") == nullptr);
  BOOST_TEST(Partial::P::get_extension(nullptr, nullptr) == nullptr);
}

BOOST_AUTO_TEST_CASE(destroy_ends_running_jobs) {
  std::atomic<int> ended{0};
  {
    Partial driver;
    run_now = [&](psw::Job& job) {
      job.wait_answered();
      ++ended;
    };
    for (int i = 0; i < 3; ++i) BOOST_REQUIRE(driver.submit(ids(2)) == PSW_OK);
  }
  BOOST_TEST(ended == 3);
}

// Everything at once, for the thread sanitizer.
BOOST_AUTO_TEST_CASE(calls_from_many_threads) {
  Partial driver;
  run_now = [](psw::Job& job) {
    psw::Request request;
    while (!job.stopping() && job.next(request)) {
      job.stage("at " + request.request_id);
      job.deliver(request, "{}");
    }
  };
  BOOST_REQUIRE(driver.submit(ids(100)) == PSW_OK);
  std::vector<std::thread> threads;
  std::atomic<int> bad{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 50; ++k) {
        char stage[32];
        psw_job_status s{};
        s.struct_size = sizeof s;
        s.stage = {stage, sizeof stage, 0};
        bad += Partial::P::poll(driver.backend, driver.last_job, &s, nullptr) != PSW_OK;
        if (i == 0 && k == 25) Partial::P::cancel(driver.backend, driver.last_job, nullptr);
      }
    });
  }
  BOOST_TEST(driver.drain(5).size() == 100u);
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(bad == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
