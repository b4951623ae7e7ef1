// A program started by us, ended by its id, dead when we are.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace pgcourier::cdc::daemon {

// An account to run a child as.
struct Account {
  uid_t user = 0;
  gid_t group = 0;
};

// Empty if there is none of this name.
std::optional<Account> find_account(const char* name);

class ChildProcess {
 public:
  // Starts `arguments` (the program's path first), its output appended to `log`. Throws
  // std::system_error.
  ChildProcess(const std::vector<std::string>& arguments, const std::filesystem::path& log,
               std::optional<Account> account);
  // Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  // The exit code once it has ended; 128 + signal if a signal ended it.
  std::optional<int> poll();
  int wait();
  void signal(int number);

 private:
  pid_t pid_;
  std::optional<int> exit_code_;
};

}  // namespace pgcourier::cdc::daemon
