// SPDX-License-Identifier: Apache-2.0
#include "canned.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

namespace fireworks {

using nlohmann::json;

CannedWork::CannedWork(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    lines.push_back(json{
        {"request_id", "r" + std::to_string(i)},
        {"model", "m"},
        {"messages", {{{"role", "user"}, {"content", "q" + std::to_string(i)}}}},
        {"max_tokens",
         5}}.dump());
  }
}

bool CannedWork::read(psw::Request& request) {
  if (next_ >= lines.size()) return false;
  request.index = next_;
  request.request_id = json::parse(lines[next_]).at("request_id").get<std::string>();
  request.line = lines[next_++];
  return true;
}

bool CannedWork::deliver(const psw::Request& request, const std::string& body, std::int32_t outcome,
                         psw::Usage) {
  const bool first = records.emplace(request.request_id, Got{outcome, PSW_OK, body}).second;
  BOOST_TEST(first, "a second record of " << request.request_id);
  return first;
}

bool CannedWork::fail(const psw::Request& request, std::int32_t outcome, psw_status code,
                      const std::string& sentence) {
  const bool first = records.emplace(request.request_id, Got{outcome, code, sentence}).second;
  BOOST_TEST(first, "a second record of " << request.request_id);
  return first;
}

bool CannedWork::sleep(std::uint32_t ms) {
  now_ms += ms;
  slept_ms += ms;
  if (on_sleep) on_sleep();
  return stopped;
}

void CannedWork::log(std::int32_t level, const std::string& message) {
  if (level >= PSW_LOG_WARN) warnings.insert(message);
}

std::size_t CannedWork::count(std::int32_t outcome) const {
  return static_cast<std::size_t>(std::count_if(
      records.begin(), records.end(), [&](const auto& r) { return r.second.outcome == outcome; }));
}

bool CannedWork::said(const std::string& part) const {
  return std::any_of(warnings.begin(), warnings.end(),
                     [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

bool CannedWork::staged(const std::string& part) const {
  return std::any_of(stages.begin(), stages.end(),
                     [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

namespace {

std::string call_of(const http::Request& request) {
  const std::string& url = request.url;
  if (url.rfind("https://store/", 0) == 0) {
    return request.method == "PUT" ? "PUT url" : request.method + " url/" + url.substr(14);
  }
  const std::string base = "https://api.fireworks.ai/v1/accounts/team/";
  BOOST_REQUIRE_MESSAGE(url.rfind(base, 0) == 0, url);
  std::string rest = url.substr(base.size());
  const std::size_t colon = rest.find(':');
  const std::string verb = colon == std::string::npos ? "" : rest.substr(colon);
  rest = rest.substr(0, colon);
  if (rest.rfind("batchInferenceJobs", 0) == 0) {
    const std::size_t next = rest.rfind("-c");
    return request.method + " job" + (next == std::string::npos ? "" : rest.substr(next)) + verb;
  }
  const bool output = rest.rfind("datasets/out", 0) == 0;
  return request.method + (output ? " " + rest.substr(9) : " dataset") + verb;
}

}  // namespace

http::Reply CannedProvider::send(http::Request request, const std::function<bool()>& should_stop) {
  if (should_stop()) {
    http::Reply stopped;
    stopped.failure = http::Failure::cancelled;
    return stopped;
  }
  const std::string call = call_of(request);
  order.push_back(call);
  auto& list = replies_[call];
  BOOST_REQUIRE_MESSAGE(!list.empty(), "nobody expected " + call);
  http::Reply answer = list.front();
  if (list.size() > 1) list.pop_front();
  if (!request.save_to.empty() && answer.good()) {
    std::ofstream(request.save_to, std::ios::binary) << answer.body;
    answer.body.clear();
  }
  const bool to_the_store = call.find("url") != std::string::npos;
  BOOST_TEST(request.secret == (to_the_store ? "" : "FIREWORKS_API_KEY"), call);
  requests_[call].push_back(std::move(request));
  return answer;
}

void CannedProvider::on(const std::string& call, std::vector<http::Reply> replies) {
  replies_[call] = {replies.begin(), replies.end()};
}

std::size_t CannedProvider::calls(const std::string& call) const {
  const auto found = requests_.find(call);
  return found == requests_.end() ? 0 : found->second.size();
}

const http::Request& CannedProvider::last(const std::string& call) const {
  return requests_.at(call).back();
}

http::Reply reply(int status, const std::string& body) {
  http::Reply out;
  out.status = status;
  out.body = body;
  out.attempts = 1;
  return out;
}

http::Reply absent() { return reply(404, R"({"code":5,"message":"resource not found"})"); }

http::Reply lost() {
  http::Reply out;
  out.failure = http::Failure::reset;
  out.failure_text = "the connection was lost";
  out.may_have_acted = true;
  return out;
}

http::Reply job(const std::string& state, const std::string& message, int processed) {
  json body{{"name", "accounts/team/batchInferenceJobs/x"},
            {"state", "JOB_STATE_" + state},
            {"outputDatasetId", "accounts/team/datasets/out"},
            {"status", {{"code", "OK"}, {"message", message}}},
            {"jobProgress", {{"totalInputRequests", 3}, {"totalProcessedRequests", processed}}}};
  return reply(200, body.dump());
}

http::Reply dataset(const std::string& state, int count) {
  return reply(200, json{{"name", "accounts/team/datasets/x"},
                         {"state", state},
                         {"exampleCount", std::to_string(count)}}
                        .dump());
}

http::Reply files(const std::vector<std::string>& names) {
  json urls = json::object();
  for (const std::string& name : names) urls["dataset/out/" + name] = "https://store/" + name;
  return reply(200, json{{"filenameToSignedUrls", urls}}.dump());
}

std::string answer_row(const std::string& id, const std::string& text) {
  return json{{"custom_id", id},
              {"response",
               {{"id", "chatcmpl-" + id},
                {"model", "m"},
                {"choices",
                 {{{"index", 0},
                   {"message", {{"role", "assistant"}, {"content", text}}},
                   {"finish_reason", "stop"}}}},
                {"usage", {{"prompt_tokens", "7"}, {"completion_tokens", 2}}}}}}
             .dump() +
         "\n";
}

std::string error_row(const std::string& id, int code, const std::string& message) {
  return json{{"custom_id", id}, {"error", {{"code", code}, {"message", message}}}}.dump() + "\n";
}

Options batch_options() { return parse_options(R"({"account_id":"team","model":"m"})"); }

}  // namespace fireworks
