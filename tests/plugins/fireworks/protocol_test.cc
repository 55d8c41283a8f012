// SPDX-License-Identifier: Apache-2.0
#include "protocol.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <promptsweep/backend.hpp>

using namespace fireworks;
using nlohmann::json;

namespace {

http::Reply reply(int status, const std::string& body) {
  http::Reply out;
  out.status = status;
  out.body = body;
  return out;
}

Came came(int status, const std::string& body = "{}") { return came_of(reply(status, body)); }

std::string grpc(int code, const std::string& message) {
  return json{{"code", code}, {"message", message}, {"details", json::array()}}.dump();
}

template <class F>
bool is_nonsense(F&& f) {
  try {
    f();
  } catch (const psw::Error& error) {
    return error.code == PSW_E_DATA;
  }
  return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(replies_are_told_apart) {
  BOOST_TEST((came(200) == Came::good));
  BOOST_TEST((came(404, grpc(5, "resource not found")) == Came::absent));
  BOOST_TEST((came(409, grpc(6, "exists")) == Came::exists));
  BOOST_TEST((came(409, "") == Came::exists));
  BOOST_TEST((came(400, grpc(3,
                             "invalid batch inference job: job-submission-count for account a, "
                             "in use: 16, quota: 16")) == Came::quota));
  BOOST_TEST((came(429, grpc(8, "job-submission-count for account a")) == Came::quota));
  BOOST_TEST((came(429, R"({"object":"error","message":"rate limit exceeded"})") == Came::unclear));
  BOOST_TEST((came(400, grpc(3, "unknown field \"exampleCount\"")) == Came::unknown_field));
  BOOST_TEST((came(400, grpc(3, "The file was already uploaded")) == Came::already_uploaded));
  BOOST_TEST((came(400, grpc(9, "upload not complete")) == Came::settling));
  BOOST_TEST((came(400, grpc(3, "no such precision")) == Came::refused));
  BOOST_TEST((came(403, R"({"error":{"message":"The API key you provided is invalid.",)"
                        R"("code":"UNAUTHORIZED","type":"error"}})") == Came::denied));
  BOOST_TEST((came(401) == Came::denied));
  BOOST_TEST((came(402) == Came::refused));
  BOOST_TEST((came(412) == Came::refused));
  for (const int status : {408, 425, 500, 502, 503, 504, 520, 529, 100, 0}) {
    BOOST_TEST((came(status, "<html>no</html>") == Came::unclear), status);
  }
}

// Absence is a proof on which a job is paid anew: only the service's own word counts.
BOOST_AUTO_TEST_CASE(only_the_service_itself_says_that_something_is_absent) {
  BOOST_TEST((came(404, "<html><title>404 Not Found</title></html>") == Came::unclear));
  BOOST_TEST((came(404, "404 page not found") == Came::unclear));
  BOOST_TEST((came(404, "") == Came::unclear));
  BOOST_TEST((came(404, R"({"code":"5","message":"x"})") == Came::absent));
  BOOST_TEST((came(404, R"({"error":{"code":"NOT_FOUND","message":"no"}})") == Came::absent));
  http::Reply cut = reply(404, grpc(5, "not found"));
  cut.failure = http::Failure::cut;
  BOOST_TEST((came_of(cut) == Came::unclear));
  cut.failure = http::Failure::cancelled;
  BOOST_TEST((came_of(cut) == Came::cancelled));
}

BOOST_AUTO_TEST_CASE(states_are_known_by_parts_of_their_names) {
  const std::map<std::string, Phase> states{{"COMPLETED", Phase::completed},
                                            {"EXPIRED", Phase::partial},
                                            {"EARLY_STOPPED", Phase::partial},
                                            {"FAILED", Phase::failed},
                                            {"CANCELLED", Phase::cancelled},
                                            {"CANCELLING", Phase::active},
                                            {"DELETING", Phase::deleting},
                                            {"DELETING_CLEANING_UP", Phase::deleting},
                                            {"UNSPECIFIED", Phase::active},
                                            {"CREATING", Phase::active},
                                            {"CREATING_INPUT_DATASET", Phase::active},
                                            {"VALIDATING", Phase::active},
                                            {"PENDING", Phase::active},
                                            {"RUNNING", Phase::active},
                                            {"WRITING_RESULTS", Phase::active},
                                            {"RE_QUEUEING", Phase::active},
                                            {"IDLE", Phase::active},
                                            {"PAUSED", Phase::active}};
  for (const auto& [state, phase] : states) {
    for (const std::string& written : {state, "JOB_STATE_" + state}) {
      const JobView view = parse_job(json{{"state", written}}.dump());
      BOOST_TEST(view.state == state);
      BOOST_TEST((view.phase == phase), written);
      BOOST_TEST(is_known_state(view.state), written);
    }
  }
  BOOST_TEST((phase_of("MEDITATING") == Phase::active));
  BOOST_TEST(!is_known_state("MEDITATING"));
}

BOOST_AUTO_TEST_CASE(a_job_is_read_whether_its_numbers_are_numbers_or_texts) {
  for (const json& three : {json(3), json("3"), json(3.0)}) {
    const JobView view = parse_job(json{
        {"name", "accounts/a/batchInferenceJobs/j"},
        {"state", "JOB_STATE_RUNNING"},
        {"model", "accounts/fireworks/models/m"},
        {"inputDatasetId", "accounts/a/datasets/in"},
        {"outputDatasetId", "out"},
        {"createTime", "2026-08-30T10:00:00.5Z"},
        {"status", {{"code", "OK"}, {"message", ""}}},
        {"jobProgress", {{"totalInputRequests", three}, {"successfullyProcessedRequests", three}}}}
                                       .dump());
    BOOST_TEST(view.total == 3u);
    BOOST_TEST(view.processed == 3u);
    BOOST_TEST(view.input_dataset == "in");
    BOOST_TEST(view.output_dataset == "out");
    BOOST_TEST(view.created_unix_ms == 1788084000000);
    BOOST_TEST(view.status_code == "OK");
  }
  const JobView bare = parse_job(R"({"name":"x","jobProgress":null,"status":null})");
  BOOST_TEST(bare.state == "UNSPECIFIED");
  BOOST_TEST(bare.total == 0u);
  BOOST_TEST(bare.created_unix_ms == 0);
  const JobView odd = parse_job(
      R"({"state":7,"name":"x","jobProgress":{"totalInputRequests":"many","failedRequests":-1}})");
  BOOST_TEST(odd.total == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_no_job_and_no_dataset_is_nonsense) {
  for (const char* body : {"", "[]", "null", "{", "<html>", "{}", R"({"datasets":[]})"}) {
    BOOST_TEST(is_nonsense([&] { parse_job(body); }), body);
    BOOST_TEST(is_nonsense([&] { parse_dataset(body); }), body);
  }
}

BOOST_AUTO_TEST_CASE(datasets_are_read_with_and_without_prefixes) {
  BOOST_TEST(parse_dataset(R"({"name":"d","state":"READY"})").ready);
  BOOST_TEST(parse_dataset(R"({"name":"d","state":"DATASET_STATE_READY"})").ready);
  BOOST_TEST(!parse_dataset(R"({"name":"d","state":"UPLOADING"})").ready);
  BOOST_TEST(!parse_dataset(R"({"name":"d"})").ready);
  BOOST_TEST(parse_dataset(R"({"name":"d","state":"FAILED"})").broken);
  const DatasetView bad = parse_dataset(
      R"({"state":"UPLOADING","status":{"code":"INVALID_ARGUMENT","message":"why"}})");
  BOOST_TEST(bad.broken);
  BOOST_TEST(bad.status_message == "why");
  BOOST_TEST(!parse_dataset(R"({"state":"UPLOADING","status":{"code":"OK"}})").broken);
  BOOST_TEST(*parse_dataset(R"({"state":"READY","exampleCount":"250"})").example_count == 250u);
  BOOST_TEST(*parse_dataset(R"({"state":"READY","exampleCount":250})").example_count == 250u);
  BOOST_TEST(!parse_dataset(R"({"state":"READY"})").example_count.has_value());
}

BOOST_AUTO_TEST_CASE(bodies_say_everything_once) {
  const json dataset = json::parse(dataset_body("d", "text", 250, false));
  BOOST_TEST(dataset.at("datasetId") == "d");
  BOOST_TEST(dataset.at("dataset").at("exampleCount") == "250");
  BOOST_TEST(dataset.at("dataset").at("userUploaded") == json::object());
  const json older = json::parse(dataset_body("d", "text", 250, true));
  BOOST_TEST(older.at("dataset").at("example_count") == "250");
  BOOST_TEST(!older.at("dataset").contains("exampleCount"));

  const json job = json::parse(job_body({"a", "accounts/fireworks/models/m", "d", "text", "FP8"}));
  BOOST_TEST(job.at("model") == "accounts/fireworks/models/m");
  BOOST_TEST(job.at("inputDatasetId") == "accounts/a/datasets/d");
  BOOST_TEST(job.at("precision") == "FP8");
  // Every sampling parameter stands in the rows; here it would stand twice.
  BOOST_TEST(!job.contains("inferenceParameters"));
  BOOST_TEST(!json::parse(job_body({"a", "m", "d", "t", ""})).contains("precision"));

  const json next = json::parse(continuation_body("a", "j", "text"));
  BOOST_TEST(next.at("continuedFromJobName") == "accounts/a/batchInferenceJobs/j");
  BOOST_TEST(!next.contains("model"));
  BOOST_TEST(json::parse(upload_endpoint_body("x.jsonl", 734003200)).dump() ==
             R"({"filenameToSize":{"x.jsonl":"734003200"}})");
}

BOOST_AUTO_TEST_CASE(result_files_are_told_from_error_files) {
  const auto files = parse_signed_files(
      R"({"filenameToSignedUrls":{"dataset/o/BIJOutputSet.jsonl":"https://s/1",)"
      R"("dataset/o/part-2.jsonl":"https://s/2","dataset/o/error-data":"https://s/3",)"
      R"("dataset/error-data-set/plain.jsonl":"https://s/4"}})");
  BOOST_REQUIRE(files.size() == 4u);
  std::map<std::string, bool> errors;
  for (const SignedFile& file : files) errors[file.name] = file.errors;
  BOOST_TEST(!errors.at("BIJOutputSet.jsonl"));
  BOOST_TEST(!errors.at("part-2.jsonl"));
  BOOST_TEST(errors.at("error-data"));
  BOOST_TEST(!errors.at("plain.jsonl"));
  BOOST_TEST(parse_signed_files("{}").empty());
  BOOST_TEST(is_nonsense([] { parse_signed_files(R"({"filenameToSignedUrls":{"a":7}})"); }));
}

BOOST_AUTO_TEST_CASE(an_upload_sends_the_signed_headers_and_no_others) {
  const auto names = [](const std::string& url) {
    std::string out;
    for (const http::Header& header : signed_headers(url, 7)) {
      out += header.name + "=" + header.value + ";";
    }
    return out;
  };
  const std::string base = "https://storage/x?X-Goog-Algorithm=g&X-Goog-SignedHeaders=";
  BOOST_TEST(names(base + "host") == "");
  BOOST_TEST(names(base + "content-type%3Bhost&X-Goog-Signature=x-goog-content-length-range") ==
             "Content-Type=application/octet-stream;");
  BOOST_TEST(names(base + "content-type%3bhost%3bx-goog-content-length-range") ==
             "Content-Type=application/octet-stream;x-goog-content-length-range=7,7;");
  BOOST_TEST(names("https://storage/content-type") == "");
}

BOOST_AUTO_TEST_CASE(times_are_read) {
  BOOST_TEST(parse_time("1970-01-01T00:00:00Z") == 0);
  BOOST_TEST(parse_time("1970-01-02T00:00:01Z") == 86401000);
  BOOST_TEST(parse_time("2024-02-29T12:30:15.123456789Z") == 1709209815000);
  BOOST_TEST(parse_time("2024-02-29T14:30:15+02:00") == 1709209815000);
  BOOST_TEST(parse_time("2024-02-29T07:00:15-05:30") == 1709209815000);
  for (const char* text : {"", "yesterday", "2024-13-01T00:00:00Z", "2024-01-01"}) {
    BOOST_TEST(parse_time(text) == 0, text);
  }
}
