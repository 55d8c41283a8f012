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
#include <string_view>
#include <vector>

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
  Time ended_at() const { return ended_at_; }
  const std::string& partial() const { return of_.partial; }
  void* owner = nullptr;

 private:
  void set_constants(const ClientOptions& options);
  void set_url();
  void set_times();
  void set_method(bool posts);
  bool set_headers(const ClientOptions& options);
  bool make_lines();
  void drop_lines();
  bool set_secret(const ClientOptions& options);
  bool add_line(const std::string& line);
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

  // What the handle is set to: most requests are like the one before, and what is the same is not
  // set again. Secrets are never kept here.
  struct Set {
    std::string url, method;
    bool posts = false, has_body = false, repeatable = false;
    Milliseconds deadline{-1}, stall{-1};
    std::vector<Header> headers;  // that lines_ was made of
    bool has_parts = false;
    const curl_slist* lines = nullptr;
  };
  Set set_;
  CURLU* url_ = nullptr;         // of set_.url, read once
  curl_slist* lines_ = nullptr;  // of set_.headers

  // Of the attempt under way.
  AttemptOf of_;
  Reply reply_;
  curl_mime* mime_ = nullptr;
  std::string secret_, secret_line_;
  curl_slist secret_first_ = {};  // secret_line_, then lines_
  std::ifstream upload_;
  std::uint64_t upload_left_ = 0, upload_size_ = 0;
  std::ofstream saved_;
  Failure broken_ = Failure::none;  // why a callback gave up
  std::string broken_text_;
  int sends_ = 0;
  bool acted_in_earlier_send_ = false;
  bool first_byte_came_ = false, head_is_whole_ = false;
  Time begun_at_, sent_at_, first_byte_at_, ended_at_;
};

}  // namespace http
}  // namespace psw
