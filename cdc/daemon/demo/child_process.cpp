#include "cdc/daemon/demo/child_process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace pgcourier::cdc::daemon {

namespace {

constexpr int could_not_start = 127;

// Between fork and exec only what is safe there.
[[noreturn]] void become(char* const* arguments, int log, const std::optional<Account>& account) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);  // Ctrl-C is for us to act on
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  if (account && (::setgroups(1, &account->group) != 0 || ::setgid(account->group) != 0 ||
                  ::setuid(account->user) != 0)) {
    ::_exit(could_not_start);
  }
  // A change of user clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::execv(arguments[0], arguments);
  ::_exit(could_not_start);
}

}  // namespace

std::optional<Account> find_account(const char* name) {
  const passwd* entry = ::getpwnam(name);
  if (!entry) return std::nullopt;
  return Account{entry->pw_uid, entry->pw_gid};
}

ChildProcess::ChildProcess(const std::vector<std::string>& arguments,
                           const std::filesystem::path& log, std::optional<Account> account) {
  const int log_fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (log_fd < 0) throw std::system_error(errno, std::generic_category(), log.string());
  std::vector<char*> raw;
  raw.reserve(arguments.size() + 1);
  for (const auto& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) become(raw.data(), log_fd, account);
  const int error = errno;
  ::close(log_fd);
  if (pid_ < 0) throw std::system_error(error, std::generic_category(), "fork");
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), exit_code_(other.exit_code_) {}

ChildProcess::~ChildProcess() {
  if (pid_ < 0 || poll()) return;
  ::kill(pid_, SIGKILL);
  wait();
}

std::optional<int> ChildProcess::poll() {
  int status = 0;
  if (!exit_code_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return exit_code_;
}

int ChildProcess::wait() {
  int status = 0;
  while (!exit_code_) {
    if (::waitpid(pid_, &status, 0) == pid_) {
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    } else if (errno != EINTR) {
      exit_code_ = could_not_start;
    }
  }
  return *exit_code_;
}

void ChildProcess::signal(int number) {
  if (!poll()) ::kill(pid_, number);
}

}  // namespace pgcourier::cdc::daemon
