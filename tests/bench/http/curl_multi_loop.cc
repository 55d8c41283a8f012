// SPDX-License-Identifier: Apache-2.0
//
// The bare loop that the HTTP engine is measured against: libcurl's multi interface, polled, with
// nothing around it.
//   curl_multi_loop URL CONNECTIONS REQUESTS [BODY]  ->
//   {"requests_per_s":...,"cpu_us_per_request":...}
#include <curl/curl.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "measured.h"

namespace {

std::size_t count_bytes(char*, std::size_t size, std::size_t count, void* total) {
  *static_cast<std::size_t*>(total) += size * count;
  return size * count;
}

class Loop {
 public:
  Loop(const char* url, int connections, long requests, const char* body)
      : multi_(curl_multi_init()), left_(requests) {
    headers_ = curl_slist_append(nullptr, "Expect:");
    headers_ = curl_slist_append(headers_, "Content-Type: application/json");
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, long(connections) + 16);
    for (int i = 0; i < connections; ++i) {
      CURL* easy = curl_easy_init();
      curl_easy_setopt(easy, CURLOPT_URL, url);
      curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
      curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_bytes);
      curl_easy_setopt(easy, CURLOPT_WRITEDATA, &bytes_);
      if (body) curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
      easies_.push_back(easy);
    }
  }
  ~Loop() {
    for (CURL* easy : easies_) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  long run() {  // how many failed
    for (CURL* easy : easies_) add(easy);
    int running = 0;
    do {
      curl_multi_perform(multi_, &running);
      take_finished();
      if (in_flight_ > 0) curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
    } while (in_flight_ > 0);
    return failed_;
  }

 private:
  void add(CURL* easy) {
    if (left_ == 0) return;
    --left_;
    ++in_flight_;
    curl_multi_add_handle(multi_, easy);
  }
  void take_finished() {
    int queued = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &queued)) {
      CURL* easy = message->easy_handle;
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      if (message->data.result != CURLE_OK || status != 200) ++failed_;
      curl_multi_remove_handle(multi_, easy);
      --in_flight_;
      add(easy);
    }
  }

  CURLM* multi_;
  curl_slist* headers_ = nullptr;
  std::vector<CURL*> easies_;
  std::size_t bytes_ = 0;
  long left_, in_flight_ = 0, failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s URL CONNECTIONS REQUESTS [BODY]\n", argv[0]);
    return 2;
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const long requests = std::atol(argv[3]);
  Loop loop(argv[1], std::atoi(argv[2]), requests, argc > 4 ? argv[4] : nullptr);
  return measured(requests, [&] { return loop.run(); });
}
