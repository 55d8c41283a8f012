// SPDX-License-Identifier: Apache-2.0
#include "text.h"

#include <algorithm>

namespace psw {
namespace http {
namespace {

constexpr std::size_t shortest_secret = 4;

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c + ('a' - 'A')) : c; }

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

bool equal_any_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

void wipe(std::string& text) {
  volatile char* bytes = text.data();
  for (std::size_t i = 0; i < text.size(); ++i) bytes[i] = 0;
  text.clear();
}

void redact(std::string& text, std::string_view secret) {
  if (secret.size() < shortest_secret) return;
  constexpr std::string_view instead = "[secret]";
  for (std::size_t at = text.find(secret); at != std::string::npos;
       at = text.find(secret, at + instead.size())) {
    text.replace(at, secret.size(), instead);
  }
}

void redact(Reply& reply, std::string_view secret) {
  if (secret.size() < shortest_secret) return;
  redact(reply.failure_text, secret);
  redact(reply.body, secret);
  for (Header& header : reply.headers) redact(header.value, secret);
}

std::string shown_url(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::string(url);
  const std::size_t host = scheme + 3;
  const std::size_t path = std::min(url.find('/', host), url.size());
  const std::size_t at = url.substr(host, path - host).rfind('@');
  if (at == std::string_view::npos) return std::string(url);
  return std::string(url.substr(0, host)) + std::string(url.substr(host + at + 1));
}

}  // namespace http
}  // namespace psw
