// SPDX-License-Identifier: Apache-2.0
// The calls of the control plane. Each says by its request whether it may be sent twice.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "protocol.h"
#include "work.h"

namespace fireworks {

class Control {
 public:
  // `should_stop` ends a call within 200 ms, with Came::cancelled.
  Control(Wire& wire, std::string base_url, std::string account_id,
          std::function<bool()> should_stop);

  http::Reply get_dataset(const std::string& id);
  http::Reply create_dataset(const std::string& body);  // once
  http::Reply delete_dataset(const std::string& id);
  http::Reply upload(const std::string& id, const std::filesystem::path& file);
  http::Reply upload_endpoint(const std::string& id, const std::string& body);
  http::Reply validate_upload(const std::string& id);
  http::Reply download_endpoint(const std::string& id);

  http::Reply get_job(const std::string& id);
  http::Reply create_job(const std::string& id, const std::string& body);  // once
  http::Reply delete_job(const std::string& id);

  // Signed URLs: the key never goes there.
  http::Reply put_signed(const std::string& url, std::vector<http::Header> headers,
                         const std::filesystem::path& file);
  http::Reply download(const std::string& url, const std::filesystem::path& to);

  http::Reply list_one_dataset();  // whether key and account are good
  http::Reply get_model(const std::string& resource_name);

  // The name of a call for people.
  std::string describe(const std::string& method, const std::string& path) const;

 private:
  http::Request request(const char* method, const std::string& path) const;
  http::Reply send(http::Request request);

  Wire& wire_;
  const std::string base_url_, account_id_;
  const std::function<bool()> should_stop_;
};

}  // namespace fireworks
