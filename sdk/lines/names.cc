// SPDX-License-Identifier: Apache-2.0
// What people write for servers and models.
#include <promptsweep/options.h>

#include <algorithm>

namespace psw {
namespace lines {
namespace {

bool starts_with(std::string_view text, std::string_view head) {
  return text.substr(0, head.size()) == head;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Levenshtein's distance without regard to case.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

// Where the port begins in "host:port" or "[::1]:port"; npos: there is none.
std::size_t port_at(std::string_view authority) {
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return colon;
  return bracket != std::string_view::npos && colon < bracket ? std::string_view::npos : colon;
}

}  // namespace

std::optional<std::string> normal_url(std::string_view written, int default_port) {
  std::string scheme = "http://";
  const std::size_t mark = written.find("://");
  if (mark != std::string_view::npos) {
    scheme = std::string(written.substr(0, mark + 3));
    std::transform(scheme.begin(), scheme.end(), scheme.begin(), lower);
    if (scheme != "http://" && scheme != "https://") return std::nullopt;
    written.remove_prefix(mark + 3);
  }
  while (!written.empty() && written.back() == '/') written.remove_suffix(1);
  // A user name would be a secret in the configuration.
  if (written.empty() || written.find_first_of("@?# \t\r\n\"\\") != std::string_view::npos)
    return std::nullopt;
  const std::size_t slash = written.find('/');
  std::string authority(written.substr(0, slash));
  const std::string path(slash == std::string_view::npos ? "" : written.substr(slash));
  const std::size_t colon = port_at(authority);
  std::string port = colon == std::string::npos ? "" : authority.substr(colon);
  std::string host = authority.substr(0, colon);
  if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
  if (host == "[::]") host = "[::1]";
  if (port.size() == 1) return std::nullopt;
  if (port.find_first_not_of("0123456789", 1) != std::string::npos) return std::nullopt;
  if (port.empty() && default_port != 0 && mark == std::string_view::npos)
    port = ":" + std::to_string(default_port);
  return scheme + host + port + path;
}

bool is_loopback(std::string_view url) {
  const std::size_t mark = url.find("://");
  if (mark != std::string_view::npos) url.remove_prefix(mark + 3);
  const std::string_view authority = url.substr(0, url.find('/'));
  const std::string_view host = authority.substr(0, port_at(authority));
  return host == "localhost" || host == "[::1]" || starts_with(host, "127.");
}

std::string near_names(std::string_view wanted, std::vector<std::string> known, std::size_t most) {
  std::stable_sort(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
    return distance(wanted, a) < distance(wanted, b);
  });
  if (known.size() > most) known.resize(most);
  std::string out;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (i > 0) out += i + 1 == known.size() ? " and " : ", ";
    out += known[i];
  }
  return out;
}

}  // namespace lines
}  // namespace psw
