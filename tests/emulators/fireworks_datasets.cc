// SPDX-License-Identifier: Apache-2.0
#include "fireworks_datasets.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

namespace promptsweep::emulator {
namespace {

using Json = nlohmann::json;

constexpr std::size_t largest_upload = std::size_t{150} * 1024 * 1024;

bool id_is_legal(const std::string& id) {
  if (id.empty() || id.size() > 63 || id[0] < 'a' || id[0] > 'z') return false;
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

Json dataset_json(const Dataset& d) {
  return {{"name", d.name()},
          {"displayName", d.display_name},
          {"createTime", d.create_time},
          {"updateTime", d.create_time},
          {"createdBy", "emulator"},
          {"state", d.ready() ? "READY" : "UPLOADING"},
          {"status", {{"code", "OK"}, {"message", ""}}},
          {"exampleCount", d.example_count},  // int64: a string
          {"estimatedTokenCount", "0"},
          {"externalUrl", ""},
          {"format", d.format.empty() ? "FORMAT_UNSPECIFIED" : d.format},
          {"sourceJobName", d.source_job},
          {d.by_user ? "userUploaded" : "transformed", Json::object()}};
}

// int64 of proto3 JSON: a string of digits, or a number.
std::optional<std::string> int64_text(const Json& value) {
  if (value.is_number_integer()) return value.dump();
  if (!value.is_string()) return std::nullopt;
  const std::string text = value;
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
  return digits ? std::optional(text) : std::nullopt;
}

std::string unknown_field(const Json& object, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) return key;
  }
  return "";
}

struct UploadedFile {
  std::string filename, bytes;
};

// The one part named "file" of a multipart/form-data body.
std::optional<UploadedFile> read_multipart(const Request& request) {
  const std::string* type = request.header("content-type");
  const std::size_t at = type ? type->find("boundary=") : std::string::npos;
  if (at == std::string::npos) return std::nullopt;
  std::string boundary = type->substr(at + 9);
  boundary = boundary.substr(0, boundary.find(';'));
  if (!boundary.empty() && boundary.front() == '"') {
    boundary = boundary.substr(1, boundary.find('"', 1) - 1);
  }
  const std::string& body = request.body;
  const std::string mark = "--" + boundary;
  std::size_t begin = body.find(mark);
  while (begin != std::string::npos) {
    const std::size_t head = begin + mark.size() + 2;
    const std::size_t blank = body.find("\r\n\r\n", head);
    if (blank == std::string::npos) return std::nullopt;
    const std::size_t end = body.find("\r\n" + mark, blank + 2);
    if (end == std::string::npos) return std::nullopt;  // cut off: no closing boundary
    const std::string headers = body.substr(head, blank - head);
    const std::size_t name = headers.find("filename=\"");
    if (headers.find("name=\"file\"") != std::string::npos && name != std::string::npos) {
      const std::size_t first = name + 10;
      const std::size_t from = std::min(blank + 4, end);
      return UploadedFile{headers.substr(first, headers.find('"', first) - first),
                          body.substr(from, end - from)};
    }
    begin = end + 2;
  }
  return std::nullopt;
}

}  // namespace

std::string timestamp(double seconds_ahead) {
  const std::time_t time = std::time(nullptr) + static_cast<std::time_t>(seconds_ahead);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000000Z", &parts);
  return text;
}

std::string last_segment(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

Reply grpc_error(int status, const std::string& message, int code) {
  if (code < 0) {
    code = status == 400   ? 3
           : status == 404 ? 5
           : status == 409 ? 6
           : status == 403 ? 7
           : status == 429 ? 8
           : status == 401 ? 16
           : status == 503 ? 14
                           : 13;
  }
  return json_reply({{"code", code}, {"message", message}, {"details", Json::array()}}, status);
}

Json page_of(const Request& request, const char* list_name, const Json& all) {
  long size = std::strtol(request.query_value("pageSize").c_str(), nullptr, 10);
  size = size <= 0 ? 50 : std::min(size, 200L);
  const auto from = static_cast<std::size_t>(
      std::max(std::strtol(request.query_value("pageToken").c_str(), nullptr, 10), 0L));
  Json page = Json::array();
  std::size_t i = from;
  for (; i < all.size() && page.size() < static_cast<std::size_t>(size); ++i)
    page.push_back(all[i]);
  return {{list_name, page},
          {"nextPageToken", i < all.size() ? std::to_string(i) : ""},
          {"totalSize", all.size()}};
}

Dataset* Datasets::find(const std::string& account, const std::string& id) {
  const auto found = datasets_.find("accounts/" + account + "/datasets/" + id);
  return found == datasets_.end() ? nullptr : &found->second;
}

Dataset& Datasets::make_output(const std::string& account, const std::string& id,
                               const std::string& source_job, std::size_t rows) {
  Dataset dataset;
  dataset.account = account;
  dataset.id = id;
  dataset.display_name = id;
  dataset.example_count = std::to_string(rows);
  dataset.create_time = timestamp();
  dataset.source_job = source_job;
  dataset.by_user = false;
  dataset.filled = true;
  return datasets_[dataset.name()] = std::move(dataset);
}

Reply Datasets::handle(const std::string& route, const Request& request, const std::string& account,
                       const std::string& id, const Strike& strike) {
  if (route == "dataset_create") return create(request, account, strike);
  if (route == "dataset_list") return list(request, account);
  Dataset* dataset = find(account, id);
  if (dataset == nullptr) return grpc_error(404, "resource not found");
  if (route == "dataset_get") return get(*dataset, strike);
  if (route == "dataset_upload") return upload(*dataset, request);
  if (route == "dataset_upload_endpoint") return upload_endpoint(*dataset, request);
  if (route == "dataset_validate") return validate(*dataset, strike);
  if (route == "dataset_download_endpoint") return download_endpoint(*dataset, request);
  datasets_.erase(dataset->name());  // dataset_delete
  return json_reply(Json::object());
}

Reply Datasets::create(const Request& request, const std::string& account, const Strike& strike) {
  const Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object()) return grpc_error(400, "the body must be a JSON object");
  if (strike.is("snake_case_only")) snake_case_ = true;
  const char* count_name = snake_case_ ? "example_count" : "exampleCount";
  std::string unknown = unknown_field(body, {"datasetId", "dataset", "sourceDatasetId", "filter"});
  const Json fields = body.value("dataset", Json::object());
  if (!fields.is_object()) return grpc_error(400, "dataset must be an object");
  if (unknown.empty()) {
    unknown = unknown_field(fields, {"displayName", "userUploaded", count_name, "format", "name"});
  }
  if (!unknown.empty()) {
    return grpc_error(400, "proto: (line 1:2): unknown field \"" + unknown + "\"");
  }
  const Json id = body.value("datasetId", Json());
  if (!id.is_string() || !id_is_legal(id)) return grpc_error(400, "invalid dataset id");
  if (find(account, id)) {
    world_.counts.add("creates_conflicted");
    return grpc_error(409, "dataset " + id.get<std::string>() + " already exists");
  }
  const auto count = int64_text(fields.value(count_name, Json()));
  if (!count) {
    return grpc_error(400,
                      "error validating dataset: example_count is required for uploaded datasets");
  }
  Dataset dataset;
  dataset.account = account;
  dataset.id = id;
  dataset.display_name = fields.value("displayName", "");
  if (dataset.display_name.size() > 63) return grpc_error(400, "display_name is too long");
  dataset.format = fields.value("format", "");
  dataset.example_count = *count;
  dataset.create_time = timestamp();
  dataset.ready_at_poll = world_.settings.ready_polls;
  const Json out = dataset_json(dataset);
  datasets_[dataset.name()] = std::move(dataset);
  return json_reply(out);
}

Reply Datasets::get(Dataset& dataset, const Strike& strike) {
  if (strike.is("dataset_slow")) dataset.ready_at_poll = dataset.polls + 6;
  if (strike.is("dataset_never_ready") && dataset.by_user) dataset.never_ready = true;
  if (dataset.filled) ++dataset.polls;
  Json out = dataset_json(dataset);
  if (strike.is("dataset_prefixed_state"))
    out["state"] = "DATASET_STATE_" + out["state"].get<std::string>();
  if (strike.is("dataset_numbers")) {
    out["exampleCount"] = std::strtoll(dataset.example_count.c_str(), nullptr, 10);
  }
  return json_reply(out);
}

Reply Datasets::list(const Request& request, const std::string& account) {
  Json all = Json::array();
  for (const auto& [name, dataset] : datasets_) {
    if (dataset.account == account) all.push_back(dataset_json(dataset));
  }
  return json_reply(page_of(request, "datasets", all));
}

Reply Datasets::upload(Dataset& dataset, const Request& request) {
  if (dataset.filled) return grpc_error(400, "dataset " + dataset.id + " is already uploaded");
  auto file = read_multipart(request);
  if (!file) return grpc_error(400, "the body is no complete multipart form with a part \"file\"");
  const std::string& name = file->filename;
  if (name.size() < 6 || name.substr(name.size() - 6) != ".jsonl") {
    return grpc_error(400, "the file name must end with .jsonl");
  }
  if (file->bytes.size() > largest_upload) return grpc_error(413, "the file is too large", 3);
  world_.counts.add("bytes_uploaded", file->bytes.size());
  const Json out = {{"id", dataset.name()},
                    {"bytes", file->bytes.size()},
                    {"created_at", std::time(nullptr)},
                    {"filename", name},
                    {"object", "file"},
                    {"purpose", "dataset"}};
  dataset.files[name] = std::make_shared<const std::string>(std::move(file->bytes));
  dataset.filled = true;
  return json_reply(out);
}

Reply Datasets::upload_endpoint(Dataset& dataset, const Request& request) {
  if (dataset.filled) return grpc_error(400, "dataset " + dataset.id + " is already uploaded");
  const Json body = Json::parse(request.body, nullptr, false);
  const Json sizes = body.is_object() ? body.value("filenameToSize", Json()) : Json();
  if (!sizes.is_object() || sizes.empty()) return grpc_error(400, "filename_to_size is required");
  Json urls = Json::object();
  for (const auto& [name, value] : sizes.items()) {
    const auto size = int64_text(value);
    if (!size) return grpc_error(400, "a size must be an int64");
    std::string token;
    urls[name] = storage_.put_url(dataset.account + "/" + dataset.id + "/" + name,
                                  std::strtoull(size->c_str(), nullptr, 10), token);
    dataset.put_urls[name] = token;
  }
  return json_reply({{"filenameToSignedUrls", urls}});
}

Reply Datasets::validate(Dataset& dataset, const Strike& strike) {
  if (dataset.filled) return json_reply(Json::object());
  if (strike.is("validate_not_settled")) {
    return grpc_error(400, "the upload has not settled yet", 9);
  }
  for (const auto& [name, token] : dataset.put_urls) {
    const StoredFile file = storage_.received(token);
    if (file == nullptr) return grpc_error(400, "file " + name + " has not been uploaded", 9);
    dataset.files[name] = file;
  }
  if (dataset.files.empty()) return grpc_error(400, "no file has been uploaded", 9);
  dataset.filled = true;
  return json_reply(Json::object());
}

Reply Datasets::download_endpoint(Dataset& dataset, const Request& request) {
  if (!request.body.empty()) {  // the front end's own page
    Reply reply;
    reply.status = 400;
    reply.content_type = "text/html; charset=UTF-8";
    reply.body = "<!DOCTYPE html><html><title>Error 400 (Bad Request)!!1</title></html>";
    return reply;
  }
  if (!dataset.filled) return grpc_error(404, "resource not found");
  Json urls = Json::object();
  const auto add = [&](const Dataset& d, const std::string& prefix) {
    for (const auto& [name, file] : d.files) {
      urls[prefix + name] = storage_.get_url(d.account + "/" + d.id + "/" + name, file);
    }
  };
  add(dataset, "dataset/" + dataset.id + "/");
  if (request.query_value("downloadLineage") == "true") {
    for (const std::string& id : dataset.lineage) {
      if (const Dataset* earlier = find(dataset.account, id)) add(*earlier, "dataset/" + id + "/");
    }
  }
  return json_reply({{"filenameToSignedUrls", urls}});
}

}  // namespace promptsweep::emulator
