// SPDX-License-Identifier: Apache-2.0
//
// What comes back of an attempt, and what it is called.
#include <algorithm>
#include <charconv>
#include <promptsweep/backend.hpp>

#include "attempt.h"
#include "text.h"

namespace psw {
namespace http {
namespace {

constexpr std::size_t usual_headers = 8;

}  // namespace

// ---- what comes back -------------------------------------------------------------------------

std::size_t Attempt::headers_line(char* data, std::size_t size, std::size_t count, void* self) {
  const bool fine = static_cast<Attempt*>(self)->on_headers_line({data, size * count});
  return fine ? size * count : CURL_WRITEFUNC_ERROR;
}

bool Attempt::on_headers_line(std::string_view line) {
  if (!first_byte_came_) {
    first_byte_came_ = true;
    first_byte_at_ = std::chrono::steady_clock::now();
  }
  if (line.substr(0, 5) == "HTTP/") {  // also after an interim reply such as 100
    reply_.headers.clear();
    reply_.headers.reserve(usual_headers);
    head_is_whole_ = false;
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::string_view rest = trimmed(line.substr(blank));
    reply_.status = 0;
    std::from_chars(rest.data(), rest.data() + rest.size(), reply_.status);
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    if (trimmed(line).empty()) head_is_whole_ = true;
    return true;
  }
  Header& header = reply_.headers.emplace_back();
  header.name = trimmed(line.substr(0, colon));
  header.value = trimmed(line.substr(colon + 1));
  return true;
}

std::size_t Attempt::write_bytes(char* data, std::size_t size, std::size_t count, void* self) {
  const bool fine = static_cast<Attempt*>(self)->on_bytes({data, size * count});
  return fine ? size * count : CURL_WRITEFUNC_ERROR;
}

bool Attempt::on_bytes(std::string_view bytes) {
  const bool to_file = !of_.partial.empty() && reply_.status >= 200 && reply_.status < 300;
  if (to_file) return save(bytes);
  const std::size_t limit = of_.request->max_reply_bytes;
  curl_off_t announced = -1;
  if (reply_.body.empty()) {
    curl_easy_getinfo(easy_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
  }
  const bool too_large = bytes.size() > limit - reply_.body.size() ||
                         (announced > 0 && std::uint64_t(announced) > limit);
  if (too_large) {
    broken_ = Failure::too_large;
    broken_text_ = "the reply has more than " + std::to_string(limit) + " bytes";
    return false;
  }
  if (announced > 0) reply_.body.reserve(std::size_t(announced));
  reply_.body += bytes;
  return true;
}

bool Attempt::save(std::string_view bytes) {
  if (!saved_.is_open()) saved_.open(of_.partial, std::ios::binary | std::ios::trunc);
  saved_.write(bytes.data(), std::streamsize(bytes.size()));
  if (saved_) return true;
  return refuse("cannot write " + of_.partial);
}

// ---- what came of it -------------------------------------------------------------------------

bool Attempt::may_have_acted() const {
  long head = 0;
  curl_off_t body = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &head);
  curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &body);
  return head > 0 || body > 0;
}

Failure Attempt::timed_out_in() const {
  const auto deadline = of_.request->deadline;
  const auto spent = std::chrono::steady_clock::now() - begun_at_;
  if (sends_ > 0 || spent >= deadline) return Failure::timeout;
  curl_off_t resolved = 0, connected = 0;
  curl_easy_getinfo(easy_, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
  curl_easy_getinfo(easy_, CURLINFO_CONNECT_TIME_T, &connected);
  if (resolved == 0) return Failure::resolve;
  return connected == 0 ? Failure::connect : Failure::tls;
}

Failure Attempt::failure_of(CURLcode code) const {
  switch (code) {
    case CURLE_OK:
      return Failure::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Failure::resolve;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
      return Failure::connect;
    case CURLE_OPERATION_TIMEDOUT:
      return timed_out_in();
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_INITFAILED:
      return Failure::tls;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_URL_MALFORMAT:
    case CURLE_READ_ERROR:
    case CURLE_WRITE_ERROR:
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_SEND_FAIL_REWIND:
      return Failure::local;
    case CURLE_UNSUPPORTED_PROTOCOL:
      // Of the address; or, once it was sent, of a reply that is no HTTP.
      return sends_ == 0 ? Failure::local : Failure::cut;
    default:
      break;
  }
  if (first_byte_came_) return Failure::cut;
  return sends_ == 0 ? Failure::connect : Failure::reset;
}

std::string Attempt::explain(Failure failure, CURLcode code) const {
  const char* detail = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(code);
  const auto because = [&](const char* what) { return std::string(what) + ": " + detail; };
  switch (failure) {
    case Failure::resolve:
      return because("the host was not found");
    case Failure::connect:
      return because("no connection was made");
    case Failure::tls:
      return because("no secure connection was made");
    case Failure::reset:
      return because("the connection was lost before a reply came");
    case Failure::cut:
      return because("the reply was cut off");
    case Failure::timeout:
      return because("no whole reply came in time");
    default:
      return because("the request could not be sent");
  }
}

Reply Attempt::end(CURLcode code) {
  const Time now = ended_at_ = std::chrono::steady_clock::now();
  const bool saves = !of_.partial.empty() && reply_.status >= 200 && reply_.status < 300;
  if (saves && code == CURLE_OK && broken_ == Failure::none && head_is_whole_) {
    save({});  // a reply without bytes is a file too
    saved_.close();
    if (!saved_) refuse("cannot write " + of_.partial);
  }
  reply_.failure = broken_ != Failure::none ? broken_ : failure_of(code);
  if (reply_.failure == Failure::none && !head_is_whole_) {
    // libcurl takes a head without its end, too.
    reply_.failure = Failure::cut;
    broken_text_ = "the reply was cut off within its head";
  }
  if (reply_.failure != Failure::none) {
    reply_.failure_text = broken_text_.empty() ? explain(reply_.failure, code) : broken_text_;
  }
  reply_.may_have_acted = of_.acted_before || acted_in_earlier_send_ ||
                          (sends_ > 0 && (reply_.failure == Failure::none || may_have_acted()));
  using namespace std::chrono;
  if (sends_ > 0) {
    reply_.finished_unix_us =
        reply_.started_unix_us + duration_cast<microseconds>(now - sent_at_).count();
  } else {
    reply_.finished_unix_us = psw::unix_us_now();
    reply_.started_unix_us =
        reply_.finished_unix_us - duration_cast<microseconds>(now - begun_at_).count();
  }
  const auto since_sent = [&](Time moment) {
    return std::chrono::duration<double, std::milli>(moment - sent_at_).count();
  };
  if (sends_ > 0) reply_.total_ms = since_sent(now);
  if (sends_ > 0 && first_byte_came_) reply_.first_byte_ms = since_sent(first_byte_at_);
  redact(reply_, secret_);
  if (saves && reply_.failure != Failure::none) {
    std::error_code ignored;
    std::filesystem::remove(of_.partial, ignored);
  }
  Reply reply = std::move(reply_);
  clear();
  return reply;
}

void Attempt::clear() {
  wipe(secret_);
  if (!secret_line_.empty()) {
    set_.lines = nullptr;
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, nullptr);
    wipe(secret_line_);
  }
  if (mime_) {
    curl_easy_setopt(easy_, CURLOPT_MIMEPOST, nullptr);
    curl_mime_free(mime_);
    mime_ = nullptr;
  }
  if (!plain_) {
    if (upload_.is_open()) upload_.close();
    upload_.clear();
  }
  if (!of_.partial.empty()) {
    if (saved_.is_open()) saved_.close();
    saved_.clear();
  }
  of_ = {};
  reply_ = {};
  broken_ = Failure::none;
  broken_text_.clear();
  error_text_[0] = '\0';
  sends_ = 0;
  acted_in_earlier_send_ = first_byte_came_ = false;
}

}  // namespace http
}  // namespace psw
