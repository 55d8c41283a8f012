// SPDX-License-Identifier: Apache-2.0
// The whole life of a batch job, with canned replies and without time passing.
#define BOOST_TEST_MODULE fireworks_batch_job
#include "batch_job.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "canned.h"
#include "temporary_folder.h"

using namespace fireworks;
using nlohmann::json;

namespace {

// Three requests at a provider where everything goes well, until a test says otherwise.
struct Stage {
  Stage() {
    provider.on("GET job",
                {absent(), job("PENDING"), job("RUNNING", "", 1), job("COMPLETED", "", 3)});
    provider.on("GET dataset", {absent(), dataset("UPLOADING", 3), dataset("READY", 3)});
    provider.on("POST dataset", {dataset("UPLOADING", 3)});
    provider.on("POST dataset:upload", {reply(200)});
    provider.on("POST job", {job("VALIDATING")});
    provider.on("DELETE job", {reply(200)});
    provider.on("GET out:getDownloadEndpoint", {files({"BIJOutputSet.jsonl", "error-data"})});
    provider.on("GET url/BIJOutputSet.jsonl",
                {reply(200, answer_row("r2") + answer_row("r0") + answer_row("r1"))});
    provider.on("GET url/error-data", {reply(200, "")});
  }

  // The text of what run() threw; empty: nothing.
  std::string run() {
    batch.emplace(work, provider, options, places, folder.path());
    try {
      batch->run();
    } catch (const psw::Error& error) {
      thrown = error.code;
      return error.text;
    }
    return "";
  }
  std::size_t paid() const { return provider.calls("POST job"); }

  TemporaryFolder folder;
  CannedWork work{3};
  CannedProvider provider;
  Options options = batch_options();
  Places places{1};
  std::optional<BatchJob> batch;
  psw_status thrown = PSW_OK;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_job_is_made_watched_and_delivered) {
  Stage s;
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  BOOST_TEST(s.paid() == 1u);
  BOOST_TEST(s.work.most_progress == 3u);
  BOOST_TEST(s.work.warnings.empty());
  const json body = json::parse(s.work.records.at("r0").body);
  BOOST_TEST(body.at("text") == "yes");
  BOOST_TEST(body.at("prompt_tokens") == 7);
  BOOST_TEST(body.at("remote_id") == "chatcmpl-r0");
  // The look comes before anything is made.
  BOOST_TEST(s.provider.order.front() == "GET job");
  BOOST_TEST(!s.provider.last("POST job").repeatable);
  const json job = json::parse(s.provider.last("POST job").body);
  BOOST_TEST(job.at("model") == "accounts/fireworks/models/m");
  const Leftovers left = s.batch->leftovers();
  BOOST_TEST(left.all_answered);
  BOOST_TEST(left.jobs.size() == 1u);
  BOOST_TEST(left.datasets.size() == 2u);
  const auto token = read_token(s.work.checkpoints.back());
  BOOST_TEST(token->job == left.jobs.front());
  BOOST_TEST(token->output == "out");
  // Nothing stays in the scratch folder.
  s.batch.reset();
  BOOST_TEST(std::filesystem::is_empty(s.folder.path()));
}

BOOST_AUTO_TEST_CASE(a_job_that_is_there_is_attached_to_and_never_made_again) {
  Stage s;
  s.provider.on("GET job", {job("COMPLETED", "", 3)});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  BOOST_TEST(s.paid() == 0u);
  BOOST_TEST(s.provider.calls("POST dataset") == 0u);
}

BOOST_AUTO_TEST_CASE(attaching_proves_absence_and_makes_nothing) {
  Stage s;
  s.work.only_attach = true;
  s.run();
  BOOST_TEST(s.thrown == PSW_E_NOT_FOUND);
  BOOST_TEST(s.paid() == 0u);
  BOOST_TEST(s.work.records.empty());
}

// An error is no proof: neither a proxy's 404, nor silence, nor a refused key.
BOOST_AUTO_TEST_CASE(what_is_no_proof_of_absence_leaves_the_job_open) {
  for (const http::Reply& answer :
       {reply(404, "<html>no such page</html>"), reply(503), lost(), reply(200, "{\"na"),
        reply(403, R"({"error":{"message":"invalid key"}})")}) {
    for (const bool only_attach : {true, false}) {
      Stage s;
      s.work.only_attach = only_attach;
      s.provider.on("GET job", {answer});
      s.run();
      BOOST_TEST(s.thrown == PSW_E_UNAVAILABLE);
      BOOST_TEST(s.work.open);
      BOOST_TEST(s.work.records.empty());
      BOOST_TEST(s.paid() == 0u);
    }
  }
}

// D28: a lost reply to a creation made a second paid job.
BOOST_AUTO_TEST_CASE(a_lost_reply_to_a_creation_is_looked_up) {
  for (const http::Reply& answer : {lost(), reply(500), reply(504), reply(200, "{"), reply(409)}) {
    Stage s;
    s.provider.on("POST job", {answer});
    s.provider.on("GET job", {absent(), job("PENDING"), job("COMPLETED", "", 3)});
    BOOST_TEST(s.run() == "");
    BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
    BOOST_TEST(s.paid() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(a_creation_that_never_arrived_is_sent_again_under_the_same_name) {
  Stage s;
  s.provider.on("POST job", {lost(), job("PENDING")});
  s.provider.on("GET job", {absent(), absent(), absent(), job("COMPLETED", "", 3)});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.paid() == 2u);
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  // Two looks lie between the two.
  const std::vector<std::string>& order = s.provider.order;
  const auto first = std::find(order.begin(), order.end(), "POST job");
  BOOST_TEST(*(first + 1) == "GET job");
  BOOST_TEST(*(first + 2) == "GET job");
  BOOST_TEST(*(first + 3) == "POST job");
}

BOOST_AUTO_TEST_CASE(a_creation_whose_fate_stays_unknown_leaves_the_job_open) {
  Stage s;
  s.provider.on("POST job", {lost()});
  s.provider.on("GET job", {absent(), lost()});
  s.run();
  BOOST_TEST(s.thrown == PSW_E_UNAVAILABLE);
  BOOST_TEST(s.work.open);
  BOOST_TEST(s.paid() == 1u);
}

BOOST_AUTO_TEST_CASE(a_creation_that_is_refused_fails_with_the_providers_words) {
  Stage s;
  s.provider.on("POST job", {reply(400, R"({"code":3,"message":"model has no batch service"})")});
  BOOST_TEST(s.run().find("model has no batch service") != std::string::npos);
  BOOST_TEST(!s.work.open);
  BOOST_TEST(s.paid() == 1u);
  BOOST_TEST(s.batch->leftovers().jobs.empty());
}

// D29: a quota that is used up is waited for, with a word about it.
BOOST_AUTO_TEST_CASE(a_full_quota_is_waited_for) {
  Stage s;
  const http::Reply full =
      reply(400, R"({"code":3,"message":"job-submission-count for account team, in use: 16"})");
  s.provider.on("POST job", {full, full, job("PENDING")});
  s.provider.on("GET job", {absent(), absent(), absent(), absent(), absent(), job("COMPLETED")});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  BOOST_TEST(s.work.staged("job-submission-count"));

  Stage never;
  never.options.deadline_h = 0.1;
  never.provider.on("POST job", {full});
  never.provider.on("GET job", {absent()});
  BOOST_TEST(never.run().find("0.1 h") != std::string::npos);
  BOOST_TEST(never.thrown == PSW_E_RATE_LIMITED);
  BOOST_TEST(!never.work.open);
}

BOOST_AUTO_TEST_CASE(polls_come_less_often_as_time_goes) {
  Stage s;
  s.provider.on("GET job", {absent(), job("RUNNING"), job("RUNNING"), job("RUNNING"),
                            job("RUNNING"), job("RUNNING"), job("COMPLETED")});
  const std::int64_t before = s.work.now_ms;
  BOOST_TEST(s.run() == "");
  // 15 + 22.5 + 33.75 + 50.6 + 60 + 60, and the upload's brief looks.
  BOOST_TEST(s.work.now_ms - before >= 241'000);
  BOOST_TEST(s.work.now_ms - before < 260'000);
}

BOOST_AUTO_TEST_CASE(unknown_states_and_states_that_go_back_are_borne) {
  Stage s;
  s.provider.on("GET job", {absent(), job("RUNNING", "", 2), job("PENDING"), job("MEDITATING"),
                            job("MEDITATING"), job("RUNNING", "", 1), job("COMPLETED", "", 3)});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  BOOST_TEST(s.work.warnings.size() == 1u);
  BOOST_TEST(s.work.said("MEDITATING"));
}

BOOST_AUTO_TEST_CASE(silence_while_a_job_runs_is_borne) {
  Stage s;
  s.provider.on("GET job", {absent(), job("RUNNING"), lost(), reply(503), reply(404, "<html>"),
                            absent(), reply(403), reply(200, "{"), job("COMPLETED", "", 3)});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
}

BOOST_AUTO_TEST_CASE(silence_beyond_the_deadline_leaves_the_job_open) {
  Stage s;
  s.options.deadline_h = 1;
  s.provider.on("GET job", {absent(), job("RUNNING"), lost()});
  s.run();
  BOOST_TEST(s.work.open);
  BOOST_TEST(s.work.records.empty());
  BOOST_TEST(s.work.slept_ms < 2 * 3'600'000);
}

BOOST_AUTO_TEST_CASE(a_job_that_never_starts_is_cancelled_at_the_deadline) {
  Stage s;
  s.options.deadline_h = 2;
  s.provider.on("GET job", {absent(), job("PENDING")});
  s.provider.on("GET out:getDownloadEndpoint", {absent()});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.provider.calls("DELETE job") == 1u);
  BOOST_TEST(s.work.ended_as == PSW_JOB_EXPIRED);
  BOOST_TEST(s.work.said("still PENDING 2 h"));
  BOOST_TEST(!s.work.may_continue);
  BOOST_TEST(s.paid() == 1u);
}

// The provider's clock may be days off.
BOOST_AUTO_TEST_CASE(the_deadline_of_a_job_that_was_just_made_is_by_our_clock) {
  Stage s;
  const auto dated = [](const char* state) {
    json body = json::parse(job(state, "", 3).body);
    body["createTime"] = "2001-01-01T00:00:00Z";
    return reply(200, body.dump());
  };
  s.provider.on("POST job", {dated("PENDING")});
  s.provider.on("GET job", {absent(), dated("RUNNING"), dated("COMPLETED")});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  BOOST_TEST(s.provider.calls("DELETE job") == 0u);

  // One that is found has its age by its own date.
  Stage old;
  old.provider.on("GET job", {dated("PENDING")});
  old.provider.on("GET out:getDownloadEndpoint", {absent()});
  BOOST_TEST(old.run() == "");
  BOOST_TEST(old.provider.calls("DELETE job") == 1u);
}

BOOST_AUTO_TEST_CASE(a_job_that_was_deleted_by_others_is_cancelled) {
  Stage s;
  s.provider.on("GET job", {absent(), job("RUNNING"), job("DELETING_CLEANING_UP"), absent()});
  s.provider.on("GET out:getDownloadEndpoint", {absent()});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.ended_as == PSW_JOB_CANCELLED);
  BOOST_TEST(s.work.said("was deleted"));
}

// Of an expired job what was finished is kept, and the rest goes on.
BOOST_AUTO_TEST_CASE(an_expired_job_is_continued) {
  Stage s;
  s.provider.on("GET job", {absent(), job("EXPIRED", "", 1)});
  s.provider.on("GET url/BIJOutputSet.jsonl",
                {reply(200, answer_row("r1")), reply(200, answer_row("r0") + answer_row("r2"))});
  s.provider.on("GET url/error-data",
                {reply(200, error_row("r0", 500, "engine died")), reply(200, "")});
  s.provider.on("GET job-c1", {absent(), job("RUNNING"), job("COMPLETED", "", 2)});
  s.provider.on("POST job-c1", {job("PENDING")});
  // The continuation has an output of its own.
  json second = json::parse(job("COMPLETED", "", 2).body);
  second["outputDatasetId"] = "out2";
  s.provider.on("GET job-c1", {absent(), reply(200, second.dump())});
  s.provider.on("GET out2:getDownloadEndpoint", {files({"BIJOutputSet.jsonl"})});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  BOOST_TEST(s.work.ended_as == 0);
  const json body = json::parse(s.provider.last("POST job-c1").body);
  const Leftovers left = s.batch->leftovers();
  BOOST_TEST(body.at("continuedFromJobName") ==
             "accounts/team/batchInferenceJobs/" + left.jobs.front());
  BOOST_TEST(left.jobs.size() == 2u);
  BOOST_TEST(left.datasets.size() == 3u);
  BOOST_TEST(read_token(s.work.checkpoints.back())->continuations == 1u);
}

BOOST_AUTO_TEST_CASE(continuations_come_to_an_end) {
  Stage s;
  s.options.max_continuations = 2;
  for (const char* name : {"job", "job-c1", "job-c2"}) {
    s.provider.on(std::string("GET ") + name, {absent(), job("EXPIRED", "", 0)});
    s.provider.on(std::string("POST ") + name, {job("PENDING")});
  }
  s.provider.on("GET url/BIJOutputSet.jsonl", {reply(200, answer_row("r1"))});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 1u);
  BOOST_TEST(s.work.ended_as == PSW_JOB_EXPIRED);
  BOOST_TEST(s.provider.calls("POST job-c2") == 1u);
  BOOST_TEST(!s.batch->leftovers().all_answered);
}

BOOST_AUTO_TEST_CASE(a_provider_that_does_not_continue_is_no_failure_of_the_rest) {
  Stage s;
  s.provider.on("GET job", {absent(), job("EXPIRED", "", 1)});
  s.provider.on("GET job-c1", {absent()});
  s.provider.on("POST job-c1", {reply(400, R"({"code":3,"message":"cannot continue"})")});
  s.provider.on("GET url/BIJOutputSet.jsonl", {reply(200, answer_row("r1"))});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 1u);
  BOOST_TEST(s.work.ended_as == PSW_JOB_EXPIRED);
  BOOST_TEST(s.work.said("cannot continue"));
}

BOOST_AUTO_TEST_CASE(attaching_follows_a_continuation_and_makes_none) {
  Stage s;
  s.work.only_attach = true;
  s.provider.on("GET job", {job("EXPIRED", "", 1)});
  s.provider.on("GET job-c1", {job("COMPLETED", "", 2)});
  s.provider.on("GET url/BIJOutputSet.jsonl",
                {reply(200, answer_row("r1") + answer_row("r0") + answer_row("r2"))});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);

  Stage none;
  none.work.only_attach = true;
  none.provider.on("GET job", {job("EXPIRED", "", 1)});
  none.provider.on("GET job-c1", {absent()});
  none.provider.on("GET url/BIJOutputSet.jsonl", {reply(200, answer_row("r1"))});
  BOOST_TEST(none.run() == "");
  BOOST_TEST(none.work.ended_as == PSW_JOB_EXPIRED);
  BOOST_TEST(none.provider.calls("POST job-c1") == 0u);
}

// One bad row fails the whole job; only a row that is named is blamed.
BOOST_AUTO_TEST_CASE(a_job_that_fails_tells_why_and_blames_only_whom_it_names) {
  Stage s;
  s.provider.on("GET job", {absent(), job("FAILED",
                                          "Dataset has a syntax error: x.jsonl:1: 'r1' "
                                          "has an invalid role, see r10")});
  s.provider.on("GET out:getDownloadEndpoint", {absent()});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.records.at("r1").outcome == PSW_OUTCOME_ERROR_REQUEST);
  BOOST_TEST(s.work.count(PSW_OUTCOME_ERROR_BACKEND) == 2u);
  BOOST_TEST(s.work.records.at("r0").body.find("syntax error") != std::string::npos);
  BOOST_TEST(s.work.said("syntax error"));
}

BOOST_AUTO_TEST_CASE(rows_that_failed_and_rows_that_are_missing_get_their_records) {
  Stage s;
  s.provider.on("GET url/BIJOutputSet.jsonl", {reply(200, answer_row("r1"))});
  s.provider.on("GET url/error-data", {reply(200, error_row("r0", 400, "bad"))});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.records.at("r0").outcome == PSW_OUTCOME_ERROR_REQUEST);
  BOOST_TEST(s.work.records.at("r1").outcome == PSW_OUTCOME_OK);
  BOOST_TEST(s.work.records.at("r2").outcome == PSW_OUTCOME_ERROR_BACKEND);
  BOOST_TEST(s.work.ended_as == 0);
  BOOST_TEST(!s.batch->leftovers().all_answered);
}

BOOST_AUTO_TEST_CASE(result_files_are_read_whatever_their_shape) {
  Stage s;
  std::string text = "\r\n" + answer_row("r0", "first") + answer_row("stranger") +
                     answer_row("r0", "second") + "\n" + answer_row("r2");
  text.replace(text.rfind('\n'), 1, "\r\n");
  s.provider.on("GET out:getDownloadEndpoint", {files({"part-1.jsonl", "part-2.jsonl"})});
  s.provider.on("GET url/part-1.jsonl", {reply(200, text)});
  std::string last = answer_row("r1");
  last.pop_back();
  s.provider.on("GET url/part-2.jsonl", {reply(200, last)});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  BOOST_TEST(json::parse(s.work.records.at("r0").body).at("text") == "first");
  BOOST_TEST(s.work.said("1 rows repeat an id"));
  BOOST_TEST(s.work.said("1 rows carry an id that was never sent"));
}

BOOST_AUTO_TEST_CASE(a_file_that_was_cut_is_downloaded_again) {
  const std::string whole = answer_row("r2") + answer_row("r0") + answer_row("r1");
  Stage s;
  s.provider.on("GET url/BIJOutputSet.jsonl",
                {reply(200, whole.substr(0, whole.size() - 30)), reply(200, whole)});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);

  Stage always;
  always.provider.on("GET url/BIJOutputSet.jsonl",
                     {reply(200, whole.substr(0, whole.size() - 30))});
  BOOST_TEST(always.run() == "");
  BOOST_TEST(always.work.count(PSW_OUTCOME_OK) == 2u);
  BOOST_TEST(always.work.count(PSW_OUTCOME_ERROR_BACKEND) == 1u);
  BOOST_TEST(always.work.said("came cut"));
}

BOOST_AUTO_TEST_CASE(an_expired_url_is_asked_for_again_without_waiting) {
  Stage s;
  s.provider.on("GET url/BIJOutputSet.jsonl",
                {reply(403, "<Error><Code>ExpiredToken</Code></Error>"),
                 reply(200, answer_row("r0") + answer_row("r1") + answer_row("r2"))});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  BOOST_TEST(s.provider.calls("GET out:getDownloadEndpoint") == 2u);
  BOOST_TEST(s.provider.last("GET out:getDownloadEndpoint").body.empty());
}

BOOST_AUTO_TEST_CASE(paid_results_that_cannot_be_had_now_leave_the_job_open) {
  Stage s;
  s.provider.on("GET url/BIJOutputSet.jsonl", {reply(503)});
  s.run();
  BOOST_TEST(s.work.open);
  BOOST_TEST(s.work.records.empty());
}

BOOST_AUTO_TEST_CASE(lines_that_would_be_refused_do_not_fail_the_others) {
  Stage s;
  s.work.lines.push_back(R"({"request_id":"raw","model":"m","prompt":"x","max_tokens":5})");
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  BOOST_TEST(s.work.records.at("raw").outcome == PSW_OUTCOME_ERROR_REQUEST);
  BOOST_TEST(s.work.records.at("raw").code == PSW_E_UNSUPPORTED);
}

// D3: the model is the job's; lines of several models are no job.
BOOST_AUTO_TEST_CASE(a_job_of_several_models_is_refused) {
  Stage s;
  s.work.lines[1].replace(s.work.lines[1].find("\"m\""), 3, "\"n\"");
  BOOST_TEST(s.run().find("line 2 names n") != std::string::npos);
  BOOST_TEST(s.thrown == PSW_E_UNSUPPORTED);
  BOOST_TEST(s.provider.order.empty());
}

BOOST_AUTO_TEST_CASE(a_cancelled_job_is_deleted_after_its_results_were_taken) {
  Stage s;
  s.provider.on("GET job", {absent(), job("RUNNING", "", 1)});
  s.provider.on("GET out:getDownloadEndpoint", {files({"BIJOutputSet.jsonl"})});
  s.provider.on("GET url/BIJOutputSet.jsonl", {reply(200, answer_row("r1"))});
  int sleeps = 0;
  s.work.on_sleep = [&] { s.work.stopped = ++sleeps > 4; };
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 1u);
  BOOST_TEST(s.work.ended_as == PSW_JOB_CANCELLED);
  BOOST_TEST(s.provider.order.back() == "DELETE job");
  BOOST_TEST(!s.work.may_continue);

  Stage silent;
  silent.provider.on("GET job", {absent(), job("RUNNING", "", 1)});
  silent.provider.on("GET out:getDownloadEndpoint", {lost()});
  silent.provider.on("DELETE job", {lost()});
  int more = 0;
  silent.work.on_sleep = [&] { silent.work.stopped = ++more > 4; };
  BOOST_TEST(silent.run() == "");
  BOOST_TEST(silent.work.may_continue);
}

// A cancel hits the jobs of an earlier process, too, whose continuation is what runs and is paid.
BOOST_AUTO_TEST_CASE(a_cancel_ends_the_continuations_of_an_earlier_process) {
  Stage s;
  s.work.only_attach = true;
  s.work.token = write_token({"psw-job-x", "d", "out", 1, "team"});
  s.provider.on("GET job", {job("EXPIRED", "", 1)});
  s.provider.on("GET url/BIJOutputSet.jsonl", {lost()});
  s.provider.on("GET job-c1", {job("RUNNING", "", 1)});
  s.provider.on("DELETE job-c1", {reply(200)});
  s.work.on_sleep = [&] { s.work.stopped = true; };  // before it came to the continuation
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.provider.calls("DELETE job-c1") == 1u);
  BOOST_TEST(s.work.ended_as == PSW_JOB_CANCELLED);
  BOOST_TEST(read_token(s.work.checkpoints.back())->continuations == 1u);
}

// What ended meanwhile is read, even where the checkpoint does not say where; there is nothing to
// delete.
BOOST_AUTO_TEST_CASE(a_cancel_takes_what_a_job_had_finished_and_deletes_none_that_has_ended) {
  Stage s;
  json unnamed = json::parse(job("RUNNING").body);
  unnamed.erase("outputDatasetId");
  s.provider.on("POST job", {reply(200, unnamed.dump())});
  s.provider.on("GET job", {absent(), reply(200, unnamed.dump()), job("COMPLETED", "", 3)});
  s.work.on_sleep = [&] { s.work.stopped = s.provider.calls("GET job") == 2u; };
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  BOOST_TEST(s.provider.calls("DELETE job") == 0u);
  BOOST_TEST(!s.work.may_continue);
}

BOOST_AUTO_TEST_CASE(a_checkpoint_that_is_refused_does_not_lose_the_job) {
  Stage s;
  s.work.no_checkpoints = true;
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  BOOST_TEST(s.work.said("refused a checkpoint"));
}

// Its rows are paid: sent again they would be paid twice.
BOOST_AUTO_TEST_CASE(trouble_of_this_machine_leaves_a_job_that_exists_open) {
  Stage s;
  s.work.only_attach = true;
  s.provider.on("GET job", {job("COMPLETED", "", 3)});
  std::filesystem::remove_all(s.folder.path());
  BOOST_TEST(s.run().find("scratch folder") != std::string::npos);
  BOOST_TEST(s.thrown == PSW_E_UNAVAILABLE);
  BOOST_TEST(s.work.open);
  BOOST_TEST(s.work.records.empty());
}

BOOST_AUTO_TEST_CASE(a_refusal_after_a_lost_reply_proves_nothing_about_the_first_try) {
  Stage s;
  s.provider.on("POST job", {lost(), reply(403, R"({"error":{"message":"invalid key"}})")});
  s.provider.on("GET job", {absent()});
  s.run();
  BOOST_TEST(s.work.open);
  BOOST_TEST(s.work.records.empty());
}

// The provider's "not found" is by account.
BOOST_AUTO_TEST_CASE(a_job_of_another_account_is_left_open) {
  Stage s;
  s.work.only_attach = true;
  s.work.token = write_token({"psw-job-x", "d", "out", 0, "other-team"});
  s.provider.on("GET job", {absent()});
  BOOST_TEST(s.run().find("other-team") != std::string::npos);
  BOOST_TEST(s.work.open);
  BOOST_TEST(s.provider.order.empty());
}

BOOST_AUTO_TEST_CASE(shards_of_one_name_in_several_folders_are_all_read) {
  Stage s;
  json urls{{"a/part.jsonl", "https://store/1"}, {"b/part.jsonl", "https://store/2"}};
  s.provider.on("GET out:getDownloadEndpoint",
                {reply(200, json{{"filenameToSignedUrls", urls}}.dump())});
  s.provider.on("GET url/1", {reply(200, answer_row("r0") + answer_row("r2"))});
  s.provider.on("GET url/2", {reply(200, answer_row("r1"))});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
}

// What is finished is paid, and no continuation answers it again.
BOOST_AUTO_TEST_CASE(results_that_show_a_moment_after_the_end_are_waited_for) {
  for (const char* state : {"COMPLETED", "EXPIRED"}) {
    json unnamed = json::parse(job(state, "", 3).body);
    unnamed.erase("outputDatasetId");
    Stage s;
    s.provider.on("GET job", {absent(), reply(200, unnamed.dump()), job(state, "", 3)});
    s.provider.on("POST job", {reply(200, R"({"name":"accounts/team/batchInferenceJobs/x"})")});
    s.provider.on("GET out:getDownloadEndpoint", {absent(), files({"BIJOutputSet.jsonl"})});
    BOOST_TEST(s.run() == "");
    BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u, state);
  }
}

BOOST_AUTO_TEST_CASE(a_breakdown_that_names_a_row_refuses_none) {
  Stage s;
  json broken = json::parse(job("FAILED", "worker lost at row 'r1'").body);
  broken["status"]["code"] = "INTERNAL";
  s.provider.on("GET job", {absent(), reply(200, broken.dump())});
  s.provider.on("GET out:getDownloadEndpoint", {absent()});
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_ERROR_BACKEND) == 3u);
}

BOOST_AUTO_TEST_CASE(an_instance_that_ends_leaves_its_job_alone) {
  Stage s;
  s.provider.on("GET job", {absent(), job("RUNNING", "", 1)});
  int sleeps = 0;
  s.work.on_sleep = [&] { s.work.stopped = s.work.left = ++sleeps > 4; };
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.provider.calls("DELETE job") == 0u);
  BOOST_TEST(s.work.ended_as == 0);
  BOOST_TEST(s.work.records.empty());
}

// Before it exists there is no token: the core takes one for a sign that it does.
BOOST_AUTO_TEST_CASE(a_token_is_told_only_once_the_job_exists) {
  Stage s;
  s.provider.on("POST job", {reply(400, R"({"code":3,"message":"no"})")});
  s.run();
  BOOST_TEST(s.work.checkpoints.empty());
}

BOOST_AUTO_TEST_CASE(a_place_is_waited_for_and_given_back) {
  Stage s;
  BOOST_TEST(s.places.take());
  s.work.on_sleep = [&] {
    if (s.work.slept_ms > 30'000 && s.work.staged("waiting for an earlier job") && s.paid() == 0) {
      s.places.give_back();
      s.work.on_sleep = {};
    }
  };
  BOOST_TEST(s.run() == "");
  BOOST_TEST(s.work.count(PSW_OUTCOME_OK) == 3u);
  s.batch.reset();
  BOOST_TEST(s.places.take());
}
