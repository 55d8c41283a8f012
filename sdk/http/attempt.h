// SPDX-License-Identifier: Apache-2.0
//
// One attempt at a request on a libcurl easy handle. The handle outlives the attempt: it is used
// for the next one, so that nothing is set up twice.
#pragma once

#include <curl/curl.h>
#include <promptsweep/http/client.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

namespace psw {
namespace http {

using Time = std::chrono::steady_clock::time_point;

// What an attempt needs of the request it serves.
struct AttemptOf {
  const Request* request = nullptr;
  std::string partial;            // where the reply is written until it is whole
  bool acted_before = false;      // an earlier attempt may have made the server act
  std::function<void()> on_send;  // the bytes leave now; again where libcurl sends them again
};

class Attempt {
 public:
  // `set_up` adds the options that belong to the event loop. Throws std::bad_alloc.
  Attempt(const ClientOptions& options, const std::function<void(CURL*)>& set_up);
  ~Attempt();
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  CURL* easy() const { return easy_; }
  // Sets the handle up for the request, which must outlive the attempt. False: nothing can be sent,
  // and end() says why.
  bool begin(AttemptOf of, const ClientOptions& options, Time now);
  // What came of it. The handle must not be in a multi handle any more.
  Reply end(CURLcode code);
  int sends() const { return sends_; }
  Time sent_at() const { return sent_at_; }  // the last time
  const std::string& partial() const { return of_.partial; }
  void* owner = nullptr;

 private:
  void set_constants(const ClientOptions& options);
  void set_method();
  bool set_headers(const ClientOptions& options);
  bool set_secret(const ClientOptions& options);
  bool add_header(const std::string& name, const std::string& value);
  bool set_body();
  bool set_parts();
  bool refuse(std::string why);  // Failure::local; returns false
  void clear();

  bool on_headers_line(std::string_view line);
  bool on_bytes(std::string_view bytes);
  bool save(std::string_view bytes);
  std::size_t on_upload(char* to, std::size_t size);
  bool on_send();
  bool may_have_acted() const;
  Failure failure_of(CURLcode code) const;
  Failure timed_out_in() const;
  std::string explain(Failure failure, CURLcode code) const;

  static std::size_t headers_line(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t write_bytes(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t read_bytes(char* data, std::size_t size, std::size_t count, void* self);
  static int seek_upload(void* self, curl_off_t offset, int origin);
  static int before_send(void* self, char*, char*, int, int);

  CURL* easy_;
  std::function<void(CURL*)> set_up_;
  char error_text_[CURL_ERROR_SIZE] = {};
  bool plain_ = true;  // no option is set that the next request would have to take back

  // Of the attempt under way.
  AttemptOf of_;
  Reply reply_;
  curl_slist* lines_ = nullptr;
  curl_mime* mime_ = nullptr;
  std::string secret_;
  std::ifstream upload_;
  std::uint64_t upload_left_ = 0, upload_size_ = 0;
  std::ofstream saved_;
  Failure broken_ = Failure::none;  // why a callback gave up
  std::string broken_text_;
  int sends_ = 0;
  bool acted_in_earlier_send_ = false;
  bool first_byte_came_ = false, head_is_whole_ = false;
  Time begun_at_, sent_at_, first_byte_at_;
};

}  // namespace http
}  // namespace psw
