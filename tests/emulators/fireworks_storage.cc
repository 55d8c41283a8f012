// SPDX-License-Identifier: Apache-2.0
#include "fireworks_storage.h"

#include <cstdio>

namespace promptsweep::emulator {
namespace {

constexpr const char* signed_put_headers = "content-type;host;x-goog-content-length-range";

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == ';' ? std::string("%3B") : std::string(1, c);
  return out;
}

}  // namespace

Reply xml_error(int status, const std::string& code, const std::string& message) {
  Reply reply;
  reply.status = status;
  reply.content_type = "application/xml; charset=UTF-8";
  reply.body = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>" + code + "</Code><Message>" +
               message + "</Message></Error>";
  return reply;
}

std::string Storage::sign(Url url, std::string& token) {
  char text[40];
  std::snprintf(text, sizeof text, "%016llx%016llx",
                static_cast<unsigned long long>(mixed(world_.settings.seed + next_)),
                static_cast<unsigned long long>(mixed(~world_.settings.seed ^ next_)));
  ++next_;
  token = text;
  url.expires =
      std::chrono::steady_clock::now() + std::chrono::seconds(world_.settings.url_seconds);
  const std::string headers = url.put ? escaped(signed_put_headers) : "host";
  std::string out = "http://127.0.0.1:" + std::to_string(port_) + "/bucket/" + url.path +
                    "?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Expires=" +
                    std::to_string(world_.settings.url_seconds) +
                    "&X-Goog-SignedHeaders=" + headers + "&X-Goog-Signature=" + token;
  urls_[token] = std::move(url);
  return out;
}

std::string Storage::get_url(const std::string& path, StoredFile file) {
  std::string token;
  return sign({false, path, 0, {}, std::move(file)}, token);
}

std::string Storage::put_url(const std::string& path, std::uint64_t size, std::string& token) {
  return sign({true, path, size, {}, nullptr}, token);
}

StoredFile Storage::received(const std::string& token) const {
  const auto url = urls_.find(token);
  return url == urls_.end() ? nullptr : url->second.file;
}

std::string Storage::route(const Request& request) {
  if (request.method == "GET" || request.method == "HEAD") return "storage_get";
  return request.method == "PUT" ? "storage_put" : "";
}

Reply Storage::handle(const Request& request, const std::string& route, const Strike& strike) {
  if (route.empty()) return xml_error(405, "MethodNotAllowed", "The method is not allowed.");
  if (request.header("authorization")) {
    world_.counts.add("authorization_on_signed_urls");
    return xml_error(400, "InvalidArgument", "Only one way of authentication may be used.");
  }
  if (strike.is("signed_url_expired") || strike.is("put_url_expired")) {
    return xml_error(403, "ExpiredToken", "The provided token has expired.");
  }
  if (strike.is("object_not_yet")) return xml_error(404, "NoSuchKey", "The key does not exist.");
  const auto found = urls_.find(request.query_value("X-Goog-Signature"));
  if (found == urls_.end() || found->second.put != (route == "storage_put") ||
      request.path != "/bucket/" + found->second.path) {
    return xml_error(403, "SignatureDoesNotMatch", "The signature does not match the request.");
  }
  Url& url = found->second;
  if (std::chrono::steady_clock::now() >= url.expires) {
    return xml_error(403, "ExpiredToken", "The provided token has expired.");
  }
  if (url.put) return put(url, request);
  Reply reply;
  reply.content_type = "application/octet-stream";
  reply.body = *url.file;
  world_.counts.add("bytes_downloaded", reply.body.size());
  return reply;
}

Reply Storage::put(Url& url, const Request& request) {
  if (!request.header("content-length")) {
    return xml_error(411, "MissingContentLength", "Content-Length is needed.");
  }
  const std::string size = std::to_string(url.size);
  const std::string* type = request.header("content-type");
  const std::string* range = request.header("x-goog-content-length-range");
  if (!type || *type != "application/octet-stream" || !range || *range != size + "," + size) {
    return xml_error(403, "SignatureDoesNotMatch", "A signed header is missing or differs.");
  }
  if (request.body.size() != url.size) {
    return xml_error(400, request.body.size() < url.size ? "EntityTooSmall" : "EntityTooLarge",
                     "The size is not the announced one.");
  }
  world_.counts.add("bytes_uploaded", request.body.size());
  url.file = std::make_shared<const std::string>(request.body);
  Reply reply;
  reply.content_type.clear();
  return reply;
}

}  // namespace promptsweep::emulator
