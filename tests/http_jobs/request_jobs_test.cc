// SPDX-License-Identifier: Apache-2.0
// run_requests through the real layer and the real client against an emulated server.
#define BOOST_TEST_MODULE request_jobs
#include <promptsweep/http/openai_chat.h>
#include <promptsweep/http/request_jobs.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

#include "emulator_process.h"
#include "temporary_folder.h"

using namespace psw::http;
using nlohmann::json;

namespace {

using Clock = std::chrono::steady_clock;

// What the next instance does with its lines.
struct Script {
  std::string url;
  std::size_t max_in_flight = 8;
  std::function<void(const psw::Request&)> on_encode;
  std::function<void(const psw::Request&, const Reply&)> on_decode;
  std::atomic<int> at_client{0}, most_at_client{0}, sent{0};
};
Script* script = nullptr;

class ScriptedService : public Service {
 public:
  Request encode(const psw::Request& line) override {
    if (script->on_encode) script->on_encode(line);
    Request request;
    request.method = "POST";
    request.url = script->url + "/v1/chat/completions";
    request.headers = {{"Content-Type", "application/json"}};
    request.body = writer_.body(psw::lines::parse_query(line.line));
    ++script->sent;
    script->most_at_client = std::max<int>(script->most_at_client, ++script->at_client);
    return request;
  }
  Verdict judge(const Reply& reply) override { return judge_chat(reply); }
  Record decode(const psw::Request& line, const Reply& reply) override {
    --script->at_client;
    if (script->on_decode) script->on_decode(line, reply);
    return read_chat("POST /chat", line, reply, writer_.dialect());
  }

 private:
  const ChatWriter writer_{generic_dialect(), "emulated"};
};

ClientOptions plain_options() {
  ClientOptions options;
  options.adaptive = false;
  options.max_in_flight = 64;
  return options;
}

class Caller {
 public:
  static void validate(std::string_view) {}
  Caller(psw::Host, std::string_view) {}
  void run(psw::Job& job) { run_requests(client_, service_, job, script->max_in_flight); }

 private:
  ScriptedService service_;
  Client client_{plain_options()};
};

const psw_limits limits = {sizeof(psw_limits), 4, 0, 0, 0, 0, 1, 1000, 1000, 1000};
const psw_descriptor descriptor = {sizeof(psw_descriptor),
                                   0,
                                   PSW_LIT("caller"),
                                   PSW_LIT("C"),
                                   PSW_LIT("v"),
                                   PSW_LIT("1"),
                                   PSW_LIT("l"),
                                   PSW_CAP_PARTIAL_FETCH | PSW_CAP_CONCURRENT_JOBS,
                                   &limits,
                                   PSW_LIT("{}"),
                                   PSW_LIT("[]")};
using Plugin = psw::Plugin<Caller, descriptor>;

struct Row {
  std::int32_t outcome = 0;
  psw_status code = PSW_OK;
  std::uint32_t attempts = 0;
  std::int64_t started = 0, finished = 0;
  json body;
};

struct Marks {
  std::mutex mutex;
  std::map<std::uint64_t, int> begun, ended;
};
void mark(psw_host* h, psw_job, std::uint64_t index, std::int32_t what) noexcept {
  Marks& marks = *reinterpret_cast<Marks*>(h);
  const std::lock_guard<std::mutex> lock(marks.mutex);
  ++(what == PSW_MARK_BEGIN ? marks.begun : marks.ended)[index];
}

class Driver {
 public:
  explicit Driver(Script& s) {
    script = &s;
    host_.struct_size = sizeof host_;
    host_.self = reinterpret_cast<psw_host*>(&marks);
    host_.mark = mark;
    psw_create_args args{};
    args.struct_size = sizeof args;
    args.host = &host_;
    args.config_json = psw::to_str("{}");
    BOOST_REQUIRE(Plugin::create(&args, &backend_, nullptr) == PSW_OK);
  }
  ~Driver() { Plugin::destroy(backend_); }

  void submit(int lines) {
    const std::string path = (folder_ / "requests.jsonl").string();
    {
      std::ofstream out(path, std::ios::binary);
      for (int i = 0; i < lines; ++i) {
        out << R"({"request_id":"r)" << i << R"(","model":"m","messages":[{"role":"user",)"
            << R"("content":"question )" << i << R"("}],"max_tokens":4,"temperature":0})" << '\n';
      }
    }
    psw_submit_args args{};
    args.struct_size = sizeof args;
    args.job = 1;
    args.requests_path = psw::to_str(path);
    args.request_count = static_cast<std::uint64_t>(lines);
    BOOST_REQUIRE(Plugin::submit(backend_, &args, nullptr) == PSW_OK);
  }
  psw_job_status poll() {
    psw_job_status status{};
    status.struct_size = sizeof status;
    status.stage = {stage_.data(), stage_.size(), 0};
    BOOST_REQUIRE(Plugin::poll(backend_, 1, &status, nullptr) == PSW_OK);
    stage = stage_.substr(0, std::min<std::size_t>(status.stage.len, stage_.size()));
    return status;
  }
  void cancel() { BOOST_REQUIRE(Plugin::cancel(backend_, 1, nullptr) == PSW_OK); }

  // Until the job is over and all its records are here.
  psw_job_status finish() {
    while (true) {
      const psw_job_status status = poll();
      psw_sink sink{};
      sink.struct_size = sizeof sink;
      sink.self = &rows;
      sink.emit = take;
      psw_fetch_args args{};
      args.struct_size = sizeof args;
      args.budget_ms = 20;
      args.job = 1;
      args.max_records = 1000;
      args.sink = &sink;
      psw_fetch_result result{};
      result.struct_size = sizeof result;
      BOOST_REQUIRE(Plugin::fetch(backend_, &args, &result, nullptr) == PSW_OK);
      if (status.state >= PSW_JOB_SUCCEEDED && result.emitted == 0) return status;
    }
  }

  Marks marks;
  std::map<std::string, Row> rows;
  std::string stage;

 private:
  static psw_status take(void* self, const psw_record* record, psw_error*) noexcept {
    auto& rows = *static_cast<std::map<std::string, Row>*>(self);
    const std::string id(psw::view(record->request_id));
    if (rows.count(id) != 0) return PSW_E_STATE;  // seen by finish()
    rows[id] = {record->outcome,          record->error_code,
                record->attempts,         record->started_unix_us,
                record->finished_unix_us, json::parse(psw::view(record->body_json))};
    return PSW_OK;
  }

  TemporaryFolder folder_;
  psw_host_api host_{};
  psw_backend* backend_ = nullptr;
  std::string stage_ = std::string(500, ' ');
};

std::size_t count_of(const std::map<std::string, Row>& rows, std::int32_t outcome) {
  std::size_t count = 0;
  for (const auto& [id, row] : rows) count += row.outcome == outcome ? 1 : 0;
  return count;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_line_has_its_record_and_few_are_held) {
  EmulatorProcess server({"openai", "--dialect", "openai"});
  Script s;
  s.url = server.url();
  Driver driver(s);
  driver.submit(3000);
  const psw_job_status status = driver.finish();
  BOOST_TEST(status.state == PSW_JOB_SUCCEEDED);
  BOOST_TEST(driver.rows.size() == 3000u);
  BOOST_TEST(count_of(driver.rows, PSW_OUTCOME_OK) + count_of(driver.rows, PSW_OUTCOME_TRUNCATED) ==
             3000u);
  BOOST_TEST(s.most_at_client <= 8 + 1);  // one is encoded before the last is decoded
  BOOST_TEST(driver.marks.begun.size() == 3000u);
  BOOST_TEST(driver.marks.ended.size() == 3000u);
  for (const auto& [id, row] : driver.rows) {
    BOOST_TEST_REQUIRE(row.attempts == 1u);
    BOOST_TEST_REQUIRE(row.started > 0);
    BOOST_TEST_REQUIRE(row.finished >= row.started);
  }
}

BOOST_AUTO_TEST_CASE(attempts_are_counted) {
  TemporaryFolder folder;
  const std::string faults = (folder / "faults.json").string();
  std::ofstream(faults) << R"({"faults":[{"fault":"http_500","route":"chat","requests":[0]}]})";
  EmulatorProcess server({"openai", "--faults", faults});
  Script s;
  s.url = server.url();
  Driver driver(s);
  driver.submit(1);
  driver.finish();
  BOOST_TEST(driver.rows.at("r0").attempts == 2u);
  BOOST_TEST(driver.rows.at("r0").outcome <= PSW_OUTCOME_FILTERED);
}

BOOST_AUTO_TEST_CASE(a_cancelled_job_ends_within_200_ms) {
  EmulatorProcess server({"openai", "--latency-ms", "30000"});
  Script s;
  s.url = server.url();
  Driver driver(s);
  driver.submit(50);
  while (s.sent < 8) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto begin = Clock::now();
  driver.cancel();
  while (driver.poll().state < PSW_JOB_SUCCEEDED)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto took = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  BOOST_TEST(took < 400);  // 200, and what a loaded machine adds
  BOOST_TEST(driver.finish().state == PSW_JOB_CANCELLED);
  BOOST_TEST(count_of(driver.rows, PSW_OUTCOME_CANCELLED) == 50u);
  BOOST_TEST(s.sent == 8);
}

BOOST_AUTO_TEST_CASE(exceptions_become_records) {
  EmulatorProcess server({"openai"});
  Script s;
  s.url = server.url();
  s.on_encode = [](const psw::Request& line) {
    if (line.index == 0) throw psw::Error(PSW_E_UNSUPPORTED, "not this one");
    if (line.index == 1) throw NotSent(PSW_OUTCOME_PROMPT_TRUNCATED, PSW_E_TOO_LARGE, "too long");
    if (line.index == 2) throw std::runtime_error("odd");
  };
  s.on_decode = [](const psw::Request& line, const Reply&) {
    if (line.index == 3) throw psw::Error(PSW_E_DATA, "nonsense");
    if (line.index == 4) throw std::runtime_error("odd");
  };
  Driver driver(s);
  driver.submit(6);
  BOOST_TEST(driver.finish().state == PSW_JOB_SUCCEEDED);
  BOOST_TEST(driver.rows.at("r0").outcome == PSW_OUTCOME_ERROR_REQUEST);
  BOOST_TEST(driver.rows.at("r0").body.at("error") == "not this one");
  BOOST_TEST(driver.rows.at("r1").outcome == PSW_OUTCOME_PROMPT_TRUNCATED);
  BOOST_TEST(driver.rows.at("r2").outcome == PSW_OUTCOME_ERROR_BACKEND);
  BOOST_TEST(driver.rows.at("r3").outcome == PSW_OUTCOME_ERROR_BACKEND);
  BOOST_TEST(driver.rows.at("r4").outcome == PSW_OUTCOME_ERROR_BACKEND);
  BOOST_TEST(driver.rows.at("r5").outcome <= PSW_OUTCOME_FILTERED);
}

// Rows that were not at fault are offered again when somebody has put the key right.
BOOST_AUTO_TEST_CASE(a_key_revoked_in_mid_run_fails_the_job_and_no_row) {
  TemporaryFolder folder;
  const std::string faults = (folder / "faults.json").string();
  std::ofstream(faults) << R"({"faults":[{"fault":"key_revoked","route":"chat","from":20}]})";
  EmulatorProcess server({"openai", "--faults", faults});
  Script s;
  s.url = server.url();
  Driver driver(s);
  driver.submit(1000);
  const psw_job_status status = driver.finish();
  BOOST_TEST(status.state == PSW_JOB_FAILED);
  BOOST_TEST(status.failure == PSW_E_AUTH);
  BOOST_TEST(driver.stage.find("401") != std::string::npos);
  BOOST_TEST(driver.rows.size() == 1000u);
  BOOST_TEST(count_of(driver.rows, PSW_OUTCOME_ERROR_BACKEND) == 980u);
  BOOST_TEST(count_of(driver.rows, PSW_OUTCOME_ERROR_REQUEST) == 0u);
  BOOST_TEST(s.sent < 60);
}

BOOST_AUTO_TEST_CASE(destroying_an_instance_with_work_under_way_is_safe) {
  EmulatorProcess server({"openai", "--latency-ms", "30000"});
  Script s;
  s.url = server.url();
  {
    Driver driver(s);
    driver.submit(100);
    while (s.sent < 8) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  BOOST_TEST(s.sent == 8);
}
