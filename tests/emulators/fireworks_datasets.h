// SPDX-License-Identifier: Apache-2.0
// Fireworks' datasets: created, filled once by upload or signed URL, READY after a while,
// immutable.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "fireworks_storage.h"
#include "service.h"

namespace promptsweep::emulator {

struct Dataset {
  std::string account, id, display_name, format, example_count, create_time, source_job;
  std::vector<std::string> lineage;  // ids of the outputs that the job went on from
  bool by_user = true, filled = false, never_ready = false;
  int polls = 0, ready_at_poll = 0;
  std::map<std::string, StoredFile> files;      // by name within the dataset
  std::map<std::string, std::string> put_urls;  // file name to the token of the last signed URL

  std::string name() const { return "accounts/" + account + "/datasets/" + id; }
  bool ready() const { return filled && !never_ready && polls >= ready_at_poll; }
};

// A gRPC gateway's error.
Reply grpc_error(int status, const std::string& message, int code = -1);
std::string timestamp(double seconds_ahead = 0);
// The last segment of a resource name.
std::string last_segment(const std::string& name);
// {list_name: [...], nextPageToken, totalSize} by pageSize and pageToken.
nlohmann::json page_of(const Request& request, const char* list_name, const nlohmann::json& all);

class Datasets {
 public:
  Datasets(World world, Storage& storage) : world_(world), storage_(storage) {}

  // Routes dataset_*; `id` is the path's, "" for the collection.
  Reply handle(const std::string& route, const Request& request, const std::string& account,
               const std::string& id, const Strike& strike);
  Dataset* find(const std::string& account, const std::string& id);
  // Files of a job's output.
  Dataset& make_output(const std::string& account, const std::string& id,
                       const std::string& source_job, std::size_t rows);

 private:
  Reply create(const Request& request, const std::string& account, const Strike& strike);
  Reply get(Dataset& dataset, const Strike& strike);
  Reply list(const Request& request, const std::string& account);
  Reply upload(Dataset& dataset, const Request& request);
  Reply upload_endpoint(Dataset& dataset, const Request& request);
  Reply validate(Dataset& dataset, const Strike& strike);
  Reply download_endpoint(Dataset& dataset, const Request& request);

  World world_;
  Storage& storage_;
  std::map<std::string, Dataset> datasets_;  // by name()
  bool snake_case_ = false;
};

}  // namespace promptsweep::emulator
