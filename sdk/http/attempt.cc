// SPDX-License-Identifier: Apache-2.0
#include "attempt.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <promptsweep/backend.hpp>

#include "text.h"

namespace psw {
namespace http {
namespace {

// A request that must not be sent twice takes only a connection that was used just now. Servers
// keep idle ones for five seconds and more, so that it is not closed under the request.
constexpr long fresh_connection_s = 2;
constexpr long any_connection_s = 118;  // libcurl's default

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           marks.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

bool names(const std::vector<Header>& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const Header& h) { return equal_any_case(h.name, name); });
}

bool same(const std::vector<Header>& a, const std::vector<Header>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Header& x, const Header& y) {
    return x.name == y.name && x.value == y.value;
  });
}

long whole_seconds(Milliseconds time) { return long((time.count() + 999) / 1000); }

}  // namespace

Attempt::Attempt(const ClientOptions& options, const std::function<void(CURL*)>& set_up)
    : easy_(curl_easy_init()), set_up_(set_up) {
  if (!easy_) throw std::bad_alloc();
  set_constants(options);
}

Attempt::~Attempt() {
  clear();
  curl_easy_cleanup(easy_);
  drop_lines();
  curl_url_cleanup(url_);
}

void Attempt::set_constants(const ClientOptions& options) {
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_text_);
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  // Ending a transfer must not wait for a slow resolver.
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, long(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy_, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, long(options.connect_deadline.count()));
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, options.user_agent.c_str());
  // An empty proxy also switches off those of the environment.
  curl_easy_setopt(easy_, CURLOPT_PROXY, options.proxy.c_str());
  // This machine is never proxied; and without a proxy nobody has to look for exceptions.
  curl_easy_setopt(easy_, CURLOPT_NOPROXY, options.proxy.empty() ? "" : "localhost,127.0.0.1,::1");
  if (!options.ca_bundle.empty()) {
    curl_easy_setopt(easy_, CURLOPT_CAINFO, options.ca_bundle.c_str());
  }
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, headers_line);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, write_bytes);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy_, CURLOPT_PREREQFUNCTION, before_send);
  curl_easy_setopt(easy_, CURLOPT_PREREQDATA, this);
  set_up_(easy_);
}

bool Attempt::begin(AttemptOf of, const ClientOptions& options, Time now) {
  if (!plain_) {
    curl_easy_reset(easy_);
    drop_lines();
    set_ = {};
    set_constants(options);
    plain_ = true;
  }
  of_ = std::move(of);
  begun_at_ = now;
  const Request& request = *of_.request;
  if (!is_token(request.method)) return refuse("the method of the request is not readable");
  if (!is_field_value(request.url)) return refuse("the address of the request is not readable");
  if (request.url != set_.url) set_url();
  set_times();
  return set_body() && set_headers(options);
}

// libcurl reads the text of an address anew for every transfer; one that is read already is only
// copied.
void Attempt::set_url() {
  set_.url = of_.request->url;
  curl_url_cleanup(url_);
  url_ = curl_url();
  curl_easy_setopt(easy_, CURLOPT_CURLU, nullptr);
  curl_easy_setopt(easy_, CURLOPT_URL, nullptr);
  constexpr unsigned as_the_transfer_would = CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME;
  const bool readable = url_ && curl_url_set(url_, CURLUPART_URL, set_.url.c_str(),
                                             as_the_transfer_would) == CURLUE_OK;
  if (readable) {
    curl_easy_setopt(easy_, CURLOPT_CURLU, url_);
  } else {
    curl_easy_setopt(easy_, CURLOPT_URL, set_.url.c_str());  // the transfer says what is wrong
  }
}

void Attempt::set_times() {
  const Request& request = *of_.request;
  if (request.deadline != set_.deadline) {
    const long deadline = long(std::max<std::int64_t>(request.deadline.count(), 1));
    curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, deadline);
  }
  if (request.stall != set_.stall) {
    curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_LIMIT, request.stall.count() > 0 ? 1L : 0L);
    curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_TIME, whole_seconds(request.stall));
  }
  // -1: nothing is set yet.
  if (request.repeatable != set_.repeatable || set_.deadline.count() < 0) {
    curl_easy_setopt(easy_, CURLOPT_MAXAGE_CONN,
                     request.repeatable ? any_connection_s : fresh_connection_s);
  }
  set_.deadline = request.deadline;
  set_.stall = request.stall;
  set_.repeatable = request.repeatable;
}

bool Attempt::refuse(std::string why) {
  broken_ = Failure::local;
  broken_text_ = std::move(why);
  return false;
}

// ---- what is sent ----------------------------------------------------------------------------

bool Attempt::set_body() {
  const Request& request = *of_.request;
  if (int(!request.body.empty()) + int(!request.body_file.empty()) + int(!request.parts.empty()) >
      1) {
    return refuse("a request has more than one body");
  }
  if (!request.parts.empty()) return set_parts();
  const bool posts = request.method == "POST" || request.method == "PUT" ||
                     request.method == "PATCH" || !request.body.empty() ||
                     !request.body_file.empty();
  if (request.method != set_.method || posts != set_.posts ||
      request.body.empty() == set_.has_body) {
    set_method(posts);
  }
  if (!posts) return true;
  if (request.body_file.empty()) {
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.size()));
    return true;
  }
  plain_ = false;
  std::error_code failed;
  upload_size_ = std::filesystem::file_size(request.body_file, failed);
  if (!failed) upload_.open(request.body_file, std::ios::binary);
  if (failed || !upload_) return refuse("cannot read " + request.body_file.string());
  upload_left_ = upload_size_;
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, nullptr);
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(upload_size_));
  curl_easy_setopt(easy_, CURLOPT_READFUNCTION, read_bytes);
  curl_easy_setopt(easy_, CURLOPT_READDATA, this);
  curl_easy_setopt(easy_, CURLOPT_SEEKFUNCTION, seek_upload);
  curl_easy_setopt(easy_, CURLOPT_SEEKDATA, this);
  return true;
}

// The kind of the request, and the method's name where the kind does not imply it.
void Attempt::set_method(bool posts) {
  const Request& request = *of_.request;
  set_.method = request.method;
  set_.posts = posts;
  set_.has_body = !request.body.empty();
  if (request.parts.empty()) curl_easy_setopt(easy_, posts ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
  if (request.method == "HEAD" && !posts) {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
    plain_ = false;
  }
  const bool implied =
      request.method == "GET" || request.method == "POST" || request.method == "HEAD";
  const bool get_with_body = request.method == "GET" && set_.has_body;
  if (implied && !get_with_body) {
    curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, nullptr);
  } else {
    curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

bool Attempt::set_parts() {
  const Request& request = *of_.request;
  plain_ = false;
  mime_ = curl_mime_init(easy_);
  if (!mime_) return refuse("out of memory");
  for (const Part& part : request.parts) {
    curl_mimepart* out = curl_mime_addpart(mime_);
    if (!out) return refuse("out of memory");
    CURLcode done = part.file.empty() ? curl_mime_data(out, part.body.data(), part.body.size())
                                      : curl_mime_filedata(out, part.file.c_str());
    if (done != CURLE_OK) return refuse("cannot read " + part.file.string());
    if (!part.file.empty() && !std::ifstream(part.file)) {
      return refuse("cannot read " + part.file.string());
    }
    curl_mime_name(out, part.name.c_str());
    if (!part.filename.empty()) curl_mime_filename(out, part.filename.c_str());
    if (!part.content_type.empty()) curl_mime_type(out, part.content_type.c_str());
  }
  curl_easy_setopt(easy_, CURLOPT_MIMEPOST, mime_);
  set_method(true);
  return true;
}

bool Attempt::set_headers(const ClientOptions& options) {
  const Request& request = *of_.request;
  const bool has_parts = !request.parts.empty();
  if (!lines_ || has_parts != set_.has_parts || !same(request.headers, set_.headers)) {
    drop_lines();
    set_.has_parts = has_parts;
    set_.headers = request.headers;
    if (!make_lines()) {
      drop_lines();
      return false;
    }
  }
  if (!request.secret.empty()) return set_secret(options);
  if (set_.lines != lines_) curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, lines_);
  set_.lines = lines_;
  return true;
}

bool Attempt::make_lines() {
  if (!add_line("Expect:")) return false;
  // libcurl would call every body a form.
  const bool is_silent = !set_.has_parts && !names(set_.headers, "Content-Type");
  if (is_silent && !add_line("Content-Type:")) return false;
  for (const Header& header : set_.headers) {
    const bool is_name = is_token(header.name);
    if (!is_name || !is_field_value(header.value)) {
      return refuse("the header " + (is_name ? header.name : "of the request") +
                    " is not readable");
    }
    // "Name;" is how libcurl is told of an empty value; "Name:" would remove the header.
    const std::string line =
        header.value.empty() ? header.name + ";" : header.name + ": " + header.value;
    if (!add_line(line)) return false;
  }
  return true;
}

bool Attempt::add_line(const std::string& line) {
  curl_slist* longer = curl_slist_append(lines_, line.c_str());
  if (!longer) return refuse("out of memory");
  lines_ = longer;
  return true;
}

void Attempt::drop_lines() {
  curl_slist_free_all(lines_);
  lines_ = nullptr;
  set_.lines = nullptr;
}

bool Attempt::set_secret(const ClientOptions& options) {
  const std::string& name = of_.request->secret;
  if (!options.secret) return refuse("the secret " + name + " is not available");
  try {
    secret_ = options.secret(name);
  } catch (const std::exception&) {
    // What was thrown could show more than the name.
    return refuse("the secret " + name + " is not available");
  }
  if (secret_.empty()) return refuse("the secret " + name + " is empty");
  if (!is_field_value(secret_)) return refuse("the secret " + name + " is not readable");
  constexpr std::string_view head = "Authorization: Bearer ";
  secret_line_.reserve(head.size() + secret_.size());  // growing would leave copies behind
  secret_line_.append(head).append(secret_);
  secret_first_ = {secret_line_.data(), lines_};
  set_.lines = &secret_first_;
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, &secret_first_);
  return true;
}

std::size_t Attempt::on_upload(char* to, std::size_t size) {
  const std::size_t wanted = std::size_t(std::min<std::uint64_t>(size, upload_left_));
  if (wanted == 0) return 0;
  upload_.read(to, std::streamsize(wanted));
  const std::size_t got = std::size_t(upload_.gcount());
  if (got == 0) {
    refuse(of_.request->body_file.string() + " became shorter while it was sent");
    return CURL_READFUNC_ABORT;
  }
  upload_left_ -= got;
  return got;
}

std::size_t Attempt::read_bytes(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<Attempt*>(self)->on_upload(data, size * count);
}

int Attempt::seek_upload(void* self, curl_off_t offset, int origin) {
  auto& attempt = *static_cast<Attempt*>(self);
  if (origin != SEEK_SET || offset < 0 || std::uint64_t(offset) > attempt.upload_size_) {
    return CURL_SEEKFUNC_FAIL;
  }
  attempt.upload_.clear();
  attempt.upload_.seekg(std::streamoff(offset));
  attempt.upload_left_ = attempt.upload_size_ - std::uint64_t(offset);
  return attempt.upload_ ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

int Attempt::before_send(void* self, char*, char*, int, int) {
  return static_cast<Attempt*>(self)->on_send() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

// libcurl sends a request again of its own accord when a connection that it had kept turns out to
// be closed; it then comes here again.
bool Attempt::on_send() {
  if (++sends_ > 1) {
    acted_in_earlier_send_ = acted_in_earlier_send_ || may_have_acted();
    if (acted_in_earlier_send_ && !of_.request->repeatable) {
      broken_ = Failure::reset;
      broken_text_ = "the connection was lost before a reply came";
      return false;
    }
  }
  sent_at_ = std::chrono::steady_clock::now();
  reply_.started_unix_us = psw::unix_us_now();
  if (of_.on_send) of_.on_send();
  return true;
}

}  // namespace http
}  // namespace psw
