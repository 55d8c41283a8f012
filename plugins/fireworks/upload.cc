// SPDX-License-Identifier: Apache-2.0
#include "upload.h"

#include <promptsweep/http/error_body.h>

namespace fireworks {
namespace {

constexpr int names = 3;           // tried where others have taken them
constexpr int ready_rounds = 300;  // brief waits
constexpr int settling_rounds = 20;

}  // namespace

Uploader::Uploader(Work& work, Control& control, const Options& options)
    : work_(work), control_(control), options_(options), patience_(work, options) {}

std::string Uploader::ensure(const Intake& intake, const std::string& id) {
  for (int n = 1; n <= names; ++n) {
    const std::string name = n == 1 ? id : id + "-" + std::to_string(n);
    if (fill(intake, name)) return name;
    work_.log(PSW_LOG_WARN, "the dataset " + name + " at the provider is not what this job sent");
  }
  throw psw::Error(PSW_E_DATA, "the provider has datasets of other content under the names " + id +
                                   " to " + id + "-" + std::to_string(names));
}

void Uploader::refuse(Came came, const http::Reply& reply, const std::string& what,
                      int round) const {
  if (came == Came::cancelled) throw Stopped{};
  const bool again = came == Came::unclear && round < silent_rounds;
  if (!again) throw psw::http::to_error(control_.describe(what, "datasets"), reply);
}

// The name holds a hash of the file: a dataset of that name with as many rows is this file.
bool Uploader::fill(const Intake& intake, const std::string& id) {
  work_.stage("uploading " + std::to_string(intake.rows) + " requests");
  std::optional<DatasetView> there = look_up(id);
  if (!there) {
    create(intake, id);
    there = look_up(id);
  }
  if (!there) throw psw::Error(PSW_E_DATA, "the dataset " + id + " was made and is not there");
  // A count of 0 may be one that was never set.
  if (there->example_count.value_or(0) != 0 && *there->example_count != intake.rows) return false;
  if (there->broken) return false;
  if (there->ready) return true;
  upload(intake, id);
  return wait_until_ready(id);
}

std::optional<DatasetView> Uploader::look_up(const std::string& id) {
  for (int round = 1;; ++round) {
    const http::Reply reply = control_.get_dataset(id);
    const Came came = came_of(reply);
    if (came == Came::good) return parse_dataset(reply.body);
    if (came == Came::absent) return std::nullopt;
    refuse(came, reply, "GET", round);
    patience_.wait();
  }
}

// Whatever becomes of the reply, the look that follows says whether the dataset is there.
void Uploader::create(const Intake& intake, const std::string& id) {
  bool snake_case = false;
  for (int round = 1;; ++round) {
    const http::Reply reply = control_.create_dataset(
        dataset_body(id, "promptsweep " + intake.rows_hash.substr(0, 40), intake.rows, snake_case));
    const Came came = came_of(reply);
    if (came == Came::good || came == Came::exists) return;
    if (came == Came::unknown_field && !snake_case) {
      snake_case = true;
      continue;
    }
    refuse(came, reply, "POST", round);
    patience_.wait_briefly();
    if (look_up(id)) return;
  }
}

void Uploader::upload(const Intake& intake, const std::string& id) {
  if (intake.bytes <= options_.upload_limit_bytes && post_file(intake, id)) return;
  put_file(intake, id);
}

bool Uploader::post_file(const Intake& intake, const std::string& id) {
  for (int round = 1;; ++round) {
    const http::Reply reply = control_.upload(id, intake.file);
    const Came came = came_of(reply);
    if (came == Came::good || came == Came::already_uploaded) return true;
    if (reply.status == 413) return false;
    refuse(came, reply, "POST :upload to", round);
    patience_.wait();
  }
}

void Uploader::put_file(const Intake& intake, const std::string& id) {
  for (int round = 1; !put_once(intake, id); ++round) {
    if (round >= silent_rounds) {
      throw psw::Error(PSW_E_UNAVAILABLE, "the provider's store took no upload to a signed URL");
    }
    patience_.wait_briefly();  // then with a new URL
  }
  validate(id);
}

bool Uploader::put_once(const Intake& intake, const std::string& id) {
  const http::Reply endpoint =
      control_.upload_endpoint(id, upload_endpoint_body(id + ".jsonl", intake.bytes));
  const Came came = came_of(endpoint);
  if (came == Came::already_uploaded) return true;
  if (came != Came::good) {
    refuse(came, endpoint, "POST :getUploadEndpoint to", 1);
    return false;
  }
  const std::vector<SignedFile> files = parse_signed_files(endpoint.body);
  if (files.empty()) throw psw::Error(PSW_E_DATA, "the provider gave no URL to upload to");
  const std::string& url = files.front().url;
  const http::Reply put = control_.put_signed(url, signed_headers(url, intake.bytes), intake.file);
  if (came_of(put) == Came::cancelled) throw Stopped{};
  return put.good();
}

void Uploader::validate(const std::string& id) {
  for (int round = 1;; ++round) {
    const http::Reply reply = control_.validate_upload(id);
    const Came came = came_of(reply);
    if (came == Came::good || came == Came::already_uploaded) return;
    const bool settles = came == Came::settling && round < settling_rounds;
    if (!settles) refuse(came, reply, "POST :validateUpload to", round);
    patience_.wait_briefly();
  }
}

// False: the provider could not read the file.
bool Uploader::wait_until_ready(const std::string& id) {
  for (int round = 0; round < ready_rounds; ++round) {
    const std::optional<DatasetView> view = look_up(id);
    if (view && view->ready) return true;
    if (view && view->broken) {
      throw psw::Error(PSW_E_DATA,
                       "the provider refuses the dataset " + id + ": " + view->status_message);
    }
    patience_.wait_briefly();
  }
  throw psw::Error(PSW_E_TIMEOUT, "the dataset " + id + " does not become READY");
}

}  // namespace fireworks
