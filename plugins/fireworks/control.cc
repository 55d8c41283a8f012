// SPDX-License-Identifier: Apache-2.0
#include "control.h"

#include <promptsweep/http/retry.h>

#include <utility>

namespace fireworks {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr char key_name[] = "FIREWORKS_API_KEY";

http::Request with_body(http::Request request, std::string json) {
  request.body = std::move(json);
  request.headers.push_back({"Content-Type", "application/json"});
  return request;
}

}  // namespace

Control::Control(Wire& wire, std::string base_url, std::string account_id,
                 std::function<bool()> should_stop)
    : wire_(wire),
      base_url_(std::move(base_url)),
      account_id_(std::move(account_id)),
      should_stop_(std::move(should_stop)) {}

http::Request Control::request(const char* method, const std::string& path) const {
  http::Request request;
  request.method = method;
  request.url = base_url_ + "/v1/" + path;
  request.secret = key_name;
  request.deadline = seconds(60);
  request.paced = false;
  return request;
}

http::Reply Control::send(http::Request request) {
  return wire_.send(std::move(request), should_stop_);
}

std::string Control::describe(const std::string& method, const std::string& path) const {
  return method + " " + base_url_ + "/v1/accounts/" + account_id_ + "/" + path;
}

// ---- datasets ---------------------------------------------------------------------------------

http::Reply Control::get_dataset(const std::string& id) {
  return send(request("GET", "accounts/" + account_id_ + "/datasets/" + id));
}

http::Reply Control::create_dataset(const std::string& body) {
  http::Request call = request("POST", "accounts/" + account_id_ + "/datasets");
  call.repeatable = false;
  return send(with_body(std::move(call), body));
}

http::Reply Control::delete_dataset(const std::string& id) {
  return send(request("DELETE", "accounts/" + account_id_ + "/datasets/" + id));
}

// A dataset takes one file, so that a second upload of the same bytes does no harm.
http::Reply Control::upload(const std::string& id, const std::filesystem::path& file) {
  http::Request call = request("POST", "accounts/" + account_id_ + "/datasets/" + id + ":upload");
  call.deadline = minutes(60);
  http::Part part;
  part.name = "file";
  part.filename = id + ".jsonl";
  part.content_type = "application/jsonl";
  part.file = file;
  call.parts.push_back(std::move(part));
  return send(std::move(call));
}

http::Reply Control::upload_endpoint(const std::string& id, const std::string& body) {
  return send(with_body(
      request("POST", "accounts/" + account_id_ + "/datasets/" + id + ":getUploadEndpoint"), body));
}

http::Reply Control::validate_upload(const std::string& id) {
  return send(with_body(
      request("POST", "accounts/" + account_id_ + "/datasets/" + id + ":validateUpload"), "{}"));
}

// A GET, and without a body: the service's front end refuses one.
http::Reply Control::download_endpoint(const std::string& id) {
  return send(
      request("GET", "accounts/" + account_id_ + "/datasets/" + id + ":getDownloadEndpoint"));
}

// ---- jobs -------------------------------------------------------------------------------------

http::Reply Control::get_job(const std::string& id) {
  return send(request("GET", "accounts/" + account_id_ + "/batchInferenceJobs/" + id));
}

http::Reply Control::create_job(const std::string& id, const std::string& body) {
  http::Request call =
      request("POST", "accounts/" + account_id_ + "/batchInferenceJobs?batchInferenceJobId=" + id);
  call.repeatable = false;
  return send(with_body(std::move(call), body));
}

http::Reply Control::delete_job(const std::string& id) {
  return send(request("DELETE", "accounts/" + account_id_ + "/batchInferenceJobs/" + id));
}

// ---- signed URLs ------------------------------------------------------------------------------

http::Reply Control::put_signed(const std::string& url, std::vector<http::Header> headers,
                                const std::filesystem::path& file) {
  http::Request call;
  call.method = "PUT";
  call.url = url;
  call.headers = std::move(headers);
  call.body_file = file;
  call.deadline = minutes(60);
  call.stall = seconds(60);
  call.paced = false;
  return send(std::move(call));
}

http::Reply Control::download(const std::string& url, const std::filesystem::path& to) {
  http::Request call;
  call.url = url;
  call.save_to = to;
  call.deadline = minutes(60);
  call.stall = seconds(60);
  call.paced = false;
  return send(std::move(call));
}

// ---- at the start -----------------------------------------------------------------------------

namespace {

// Somebody waits for the word that everything is well: once more, and soon.
void hurry(http::Request& call) {
  call.deadline = seconds(20);
  call.judge = [](const http::Reply& reply) {
    http::Verdict verdict = http::judge_by_status(reply, true);
    if (verdict.kind == http::Verdict::again) verdict.after = seconds(1);
    return verdict;
  };
}

}  // namespace

http::Reply Control::list_one_dataset() {
  http::Request call = request("GET", "accounts/" + account_id_ + "/datasets?pageSize=1");
  hurry(call);
  return send(std::move(call));
}

http::Reply Control::get_model(const std::string& resource_name) {
  http::Request call = request("GET", resource_name);
  hurry(call);
  return send(std::move(call));
}

}  // namespace fireworks
