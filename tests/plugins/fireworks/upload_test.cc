// SPDX-License-Identifier: Apache-2.0
#include "upload.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "canned.h"
#include "temporary_folder.h"

using namespace fireworks;
using nlohmann::json;

namespace {

struct Stage {
  Stage() {
    intake.file = folder / "batch.jsonl";
    std::ofstream(intake.file) << "12345678\n";
    intake.bytes = 9;
    intake.rows = 3;
    intake.rows_hash = std::string(64, 'a');
    provider.on("GET dataset", {absent(), dataset("UPLOADING", 3), dataset("READY", 3)});
    provider.on("POST dataset", {dataset("UPLOADING", 3)});
    provider.on("POST dataset:upload", {reply(200)});
    provider.on("POST dataset:getUploadEndpoint",
                {reply(200, R"({"filenameToSignedUrls":{"x":"https://store/x?X-Goog-SignedHeaders=)"
                            R"(content-type%3Bhost%3Bx-goog-content-length-range"}})")});
    provider.on("PUT url", {reply(200, "")});
    provider.on("POST dataset:validateUpload", {reply(200)});
  }
  std::string ensure() {
    try {
      return Uploader(work, control, options).ensure(intake, "d");
    } catch (const psw::Error& error) {
      return error.text;
    }
  }

  TemporaryFolder folder;
  CannedWork work{3};
  CannedProvider provider;
  Options options = batch_options();
  Control control{provider, options.base_url, options.account_id, [] { return false; }};
  Intake intake;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_small_file_goes_through_the_service) {
  Stage s;
  BOOST_TEST(s.ensure() == "d");
  const http::Request& upload = s.provider.last("POST dataset:upload");
  BOOST_REQUIRE(upload.parts.size() == 1u);
  BOOST_TEST(upload.parts.front().name == "file");
  BOOST_TEST(upload.parts.front().filename == "d.jsonl");
  BOOST_TEST(upload.parts.front().file == s.intake.file);
  BOOST_TEST(!s.provider.last("POST dataset").repeatable);
  BOOST_TEST(s.provider.calls("PUT url") == 0u);
}

BOOST_AUTO_TEST_CASE(a_large_file_goes_to_a_signed_url_without_the_key) {
  Stage s;
  s.options.upload_limit_bytes = 8;
  s.provider.on("POST dataset:validateUpload",
                {reply(400, R"({"code":9,"message":"not yet"})"), reply(200)});
  BOOST_TEST(s.ensure() == "d");
  const http::Request& put = s.provider.last("PUT url");
  BOOST_TEST(put.body_file == s.intake.file);
  BOOST_TEST(put.secret.empty());
  BOOST_REQUIRE(put.headers.size() == 2u);
  BOOST_TEST(put.headers[1].value == "9,9");
  BOOST_TEST(s.provider.calls("POST dataset:upload") == 0u);
  BOOST_TEST(s.provider.calls("POST dataset:validateUpload") == 2u);
  BOOST_TEST(json::parse(s.provider.last("POST dataset:getUploadEndpoint").body)
                 .at("filenameToSize")
                 .at("d.jsonl") == "9");
}

BOOST_AUTO_TEST_CASE(an_upload_url_that_expired_is_asked_for_again) {
  Stage s;
  s.options.upload_limit_bytes = 8;
  s.provider.on("PUT url", {reply(403, "<Error/>"), lost(), reply(200, "")});
  BOOST_TEST(s.ensure() == "d");
  BOOST_TEST(s.provider.calls("POST dataset:getUploadEndpoint") == 3u);
}

BOOST_AUTO_TEST_CASE(a_service_that_finds_the_file_too_large_gets_it_by_url) {
  Stage s;
  s.provider.on("POST dataset:upload", {reply(413, "<html>too large</html>")});
  BOOST_TEST(s.ensure() == "d");
  BOOST_TEST(s.provider.calls("PUT url") == 1u);
}

// D17: what is there is used again only when it is the same.
BOOST_AUTO_TEST_CASE(a_dataset_that_is_there_is_used_when_it_is_the_same) {
  Stage s;
  s.provider.on("GET dataset", {dataset("READY", 3)});
  BOOST_TEST(s.ensure() == "d");
  BOOST_TEST(s.provider.calls("POST dataset") == 0u);
  BOOST_TEST(s.provider.calls("POST dataset:upload") == 0u);

  Stage other;
  other.provider.on("GET dataset",
                    {dataset("READY", 4), absent(), dataset("UPLOADING", 3), dataset("READY", 3)});
  BOOST_TEST(other.ensure() == "d-2");
  BOOST_TEST(other.work.said("is not what this job sent"));

  Stage broken;  // such a one never becomes READY
  broken.provider.on("GET dataset",
                     {reply(200, R"({"name":"d","state":"FAILED"})"), dataset("READY", 3)});
  BOOST_TEST(broken.ensure() == "d-2");
  BOOST_TEST(broken.provider.calls("POST dataset:upload") == 0u);

  Stage half;  // an earlier process died between creation and upload
  half.provider.on("GET dataset", {dataset("UPLOADING", 3), dataset("READY", 3)});
  BOOST_TEST(half.ensure() == "d");
  BOOST_TEST(half.provider.calls("POST dataset") == 0u);
  BOOST_TEST(half.provider.calls("POST dataset:upload") == 1u);
}

BOOST_AUTO_TEST_CASE(a_second_upload_of_the_same_file_is_no_failure) {
  Stage s;
  s.provider.on("POST dataset:upload",
                {lost(), reply(400, R"({"code":3,"message":"file already uploaded"})")});
  BOOST_TEST(s.ensure() == "d");
}

BOOST_AUTO_TEST_CASE(an_older_service_is_told_the_count_in_its_spelling) {
  Stage s;
  s.provider.on("POST dataset", {reply(400, R"({"code":3,"message":"unknown field exampleCount"})"),
                                 dataset("UPLOADING", 3)});
  BOOST_TEST(s.ensure() == "d");
  const json body = json::parse(s.provider.last("POST dataset").body);
  BOOST_TEST(body.at("dataset").at("example_count") == "3");
}

BOOST_AUTO_TEST_CASE(a_lost_reply_to_a_creation_is_looked_up_first) {
  Stage s;
  s.provider.on("POST dataset", {lost()});
  s.provider.on("GET dataset",
                {absent(), dataset("UPLOADING", 3), dataset("UPLOADING", 3), dataset("READY", 3)});
  BOOST_TEST(s.ensure() == "d");
  BOOST_TEST(s.provider.calls("POST dataset") == 1u);
}

BOOST_AUTO_TEST_CASE(what_does_not_get_better_ends_with_a_sentence) {
  Stage refused;
  refused.provider.on("POST dataset", {reply(402, R"({"code":9,"message":"no credit"})")});
  BOOST_TEST(refused.ensure().find("no credit") != std::string::npos);

  Stage silent;
  silent.provider.on("GET dataset", {reply(503)});
  BOOST_TEST(silent.ensure().find("503") != std::string::npos);
  BOOST_TEST(silent.work.slept_ms < 600'000);

  Stage broken;
  broken.provider.on("GET dataset", {absent(), dataset("UPLOADING", 3),
                                     reply(200, R"({"state":"UPLOADING","status":{"code":)"
                                                R"("INVALID_ARGUMENT","message":"bad row"}})")});
  BOOST_TEST(broken.ensure().find("bad row") != std::string::npos);

  Stage never;
  never.provider.on("GET dataset", {absent(), dataset("UPLOADING", 3)});
  BOOST_TEST(never.ensure().find("READY") != std::string::npos);
  BOOST_TEST(never.work.slept_ms >= 890'000);
}
