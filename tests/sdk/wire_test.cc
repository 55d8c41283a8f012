// SPDX-License-Identifier: Apache-2.0
#include "host/wire.h"

#include <boost/test/unit_test.hpp>

using namespace promptsweep::host;

namespace {

JobView sample_view() {
  JobView v;
  v.state = PSW_JOB_RUNNING;
  v.revision = 5;
  v.total = 100;
  v.done = 7;
  v.eta_ms = -1;
  v.stage = "half way";
  return v;
}

std::string two_frames() {
  Writer w;
  write(w, sample_view());
  return encode({Op::reply, 77, w.take()}) + encode({Op::stop, 0, ""});
}

BOOST_AUTO_TEST_CASE(frames_survive_any_cut) {
  const std::string bytes = two_frames();
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    FrameParser parser;
    std::vector<Frame> frames;
    Frame frame;
    for (const auto& part : {bytes.substr(0, cut), bytes.substr(cut)}) {
      parser.feed(part);
      while (parser.next(frame)) frames.push_back(frame);
    }
    BOOST_REQUIRE(frames.size() == 2u);
    BOOST_TEST(frames[0].call == 77u);
    BOOST_TEST((frames[1].op == Op::stop));
    JobView view;
    Reader r(frames[0].body);
    read(r, view);
    BOOST_TEST(r.ok());
    BOOST_TEST(view.stage == "half way");
    BOOST_TEST(view.done == 7u);
    BOOST_TEST(!parser.broken());
  }
}

BOOST_AUTO_TEST_CASE(a_stream_that_ends_early_gives_no_frame) {
  const std::string bytes = encode({Op::log, 3, "12345"});
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    FrameParser parser;
    Frame frame;
    parser.feed(bytes.substr(0, length));
    BOOST_TEST(!parser.next(frame));
    BOOST_TEST(!parser.broken());
  }
}

BOOST_AUTO_TEST_CASE(nonsense_is_recognised) {
  for (const std::string& bytes :
       {std::string(16, '\xff'), encode({static_cast<Op>(999), 1, ""}), std::string(16, '\0')}) {
    FrameParser parser;
    Frame frame;
    parser.feed(bytes);
    BOOST_TEST(!parser.next(frame));
    BOOST_TEST(parser.broken());
  }
}

BOOST_AUTO_TEST_CASE(a_body_cut_at_any_length_is_not_ok_and_never_overruns) {
  Record record;
  record.request_id = "id";
  record.body_json = "{}";
  Writer w;
  write(w, record);
  for (std::size_t length = 0; length < w.size(); ++length) {
    const std::string cut = w.bytes().substr(0, length);  // its own allocation, for the sanitizer
    Reader r(cut);
    Record out;
    read(r, out);
    BOOST_TEST(!r.ok());
  }
}

BOOST_AUTO_TEST_CASE(every_struct_comes_back) {
  Writer w;
  CallStatus status = CallStatus::failure(PSW_E_RATE_LIMITED, "slow down", PSW_SCOPE_INSTANCE);
  status.retry_after_ms = 1500;
  status.flags = PSW_ERR_RETRYABLE;
  status.provider_code = 429;
  Description description;
  description.id = "x";
  description.capabilities = PSW_CAP_GPU | PSW_CAP_SEEDED;
  description.limits.destroy_bound_ms = 12;
  JobArgs args;
  args.job = 9;
  args.flags = PSW_SUBMIT_ATTACH_ONLY;
  args.resume_token = std::string("a\0b", 3);
  Record record;
  record.outcome = PSW_OUTCOME_FILTERED;
  record.request_id = "r";
  record.body_json = "{\"text\":\"\"}";
  record.attempts = 3;
  record.finished_unix_us = -5;
  write(w, status);
  write(w, description);
  write(w, args);
  write(w, record);

  Reader r(w.bytes());
  CallStatus status2;
  Description description2;
  JobArgs args2;
  Record record2;
  read(r, status2);
  read(r, description2);
  read(r, args2);
  read(r, record2);
  BOOST_TEST(r.ok());
  BOOST_TEST(r.rest().empty());
  BOOST_TEST(status2.code == PSW_E_RATE_LIMITED);
  BOOST_TEST(status2.retry_after_ms == 1500);
  BOOST_TEST(status2.provider_code == 429);
  BOOST_TEST(status2.message == "slow down");
  BOOST_TEST(description2.has(PSW_CAP_GPU));
  BOOST_TEST(!description2.has(PSW_CAP_REMOTE));
  BOOST_TEST(description2.limits.destroy_bound_ms == 12u);
  BOOST_TEST(args2.flags == PSW_SUBMIT_ATTACH_ONLY);
  BOOST_TEST(args2.resume_token == args.resume_token);
  BOOST_TEST(record2.outcome == PSW_OUTCOME_FILTERED);
  BOOST_TEST(record2.body_json == record.body_json);
  BOOST_TEST(record2.attempts == 3u);
  BOOST_TEST(record2.finished_unix_us == -5);
}

}  // namespace
