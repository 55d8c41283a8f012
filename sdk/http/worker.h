// SPDX-License-Identifier: Apache-2.0
//
// A thread for what would keep others waiting, such as the disk. It does one task after the other.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace psw {
namespace http {

class Worker {
 public:
  using Task = std::function<void()>;  // must not throw

  Worker();
  ~Worker();  // everything is done when it returns
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void post(Task task);  // any thread

 private:
  void work();

  std::mutex mutex_;  // guards tasks_, ending_
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace http
}  // namespace psw
